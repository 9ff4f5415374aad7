//! Messages of a chat, and those that wait in its queue.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ChatMessagePart;

string_enum! {
    /// Values of `ChatMessageRole`.
    pub enum ChatMessageRole {
        System = "system",
        User = "user",
        Assistant = "assistant",
        Tool = "tool",
    }
}

/// `ChatMessage` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatMessage {
    pub id: i64,
    pub chat_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub role: ChatMessageRole,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub content: Vec<ChatMessagePart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<ChatMessageUsage>,
    /// The row of the queue that it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_message_id: Option<i64>,
}

/// `ChatMessageUsage` of the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatMessageUsage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_creation_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_limit: Option<i64>,
}

/// `ChatQueuedMessage` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatQueuedMessage {
    pub id: i64,
    pub chat_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config_id: Option<Uuid>,
    #[serde(deserialize_with = "crate::null_default")]
    pub content: Vec<ChatMessagePart>,
    pub created_at: DateTime<Utc>,
    /// Since when its owner is changing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub editing_since: Option<DateTime<Utc>>,
}

/// `ChatMessagesResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatMessagesResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub messages: Vec<ChatMessage>,
    #[serde(deserialize_with = "crate::null_default")]
    pub queued_messages: Vec<ChatQueuedMessage>,
    pub has_more: bool,
}

/// `ChatPrompt` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatPrompt {
    pub id: i64,
    pub text: String,
}

/// `ChatPromptsResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatPromptsResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub prompts: Vec<ChatPrompt>,
}
