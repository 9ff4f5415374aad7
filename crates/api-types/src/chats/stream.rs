//! Events of a chat's stream, and of the list of chats.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Chat, ChatError, ChatErrorKind, ChatMessage, ChatMessagePart, ChatMessageRole,
    ChatQueuedMessage, ChatStatus,
};

string_enum! {
    /// Values of `ChatStreamEventType`.
    pub enum ChatStreamEventType {
        MessagePart = "message_part",
        Message = "message",
        Status = "status",
        Error = "error",
        QueueUpdate = "queue_update",
        Retry = "retry",
        ActionRequired = "action_required",
        PreviewReset = "preview_reset",
        HistoryReset = "history_reset",
    }
}

/// `ChatStreamEvent` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatStreamEvent {
    #[serde(rename = "type")]
    pub kind: ChatStreamEventType,
    pub chat_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<ChatMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_part: Option<ChatStreamMessagePart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ChatStreamStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ChatError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<ChatStreamRetry>,
    /// Left out when the queue is empty.
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub queued_messages: Vec<ChatQueuedMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_required: Option<ChatStreamActionRequired>,
}

/// `ChatStreamMessagePart` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatStreamMessagePart {
    #[serde(skip_serializing_if = "crate::is_default")]
    pub role: ChatMessageRole,
    pub part: ChatMessagePart,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub history_version: i64,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub generation_attempt: i64,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub seq: i64,
}

/// `ChatStreamStatus` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatStreamStatus {
    pub status: ChatStatus,
}

/// `ChatStreamRetry` of the API; stored too, as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatStreamRetry {
    pub attempt: i64,
    pub delay_ms: i64,
    pub error: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub kind: ChatErrorKind,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub status_code: i32,
    pub retrying_at: DateTime<Utc>,
}

/// `ChatStreamActionRequired` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatStreamActionRequired {
    #[serde(deserialize_with = "crate::null_default")]
    pub tool_calls: Vec<ChatStreamToolCall>,
}

/// `ChatStreamToolCall` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatStreamToolCall {
    pub tool_call_id: String,
    pub tool_name: String,
    /// JSON as text.
    pub args: String,
}

string_enum! {
    /// Values of `ChatWatchEventKind`.
    pub enum ChatWatchEventKind {
        StatusChange = "status_change",
        SummaryChange = "summary_change",
        ChatSummaryChange = "chat_summary_change",
        TitleChange = "title_change",
        Created = "created",
        Deleted = "deleted",
        DiffStatusChange = "diff_status_change",
        ActionRequired = "action_required",
        ContextDirty = "context_dirty",
    }
}

/// `ChatWatchEvent` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatWatchEvent {
    pub kind: ChatWatchEventKind,
    pub chat: Chat,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tool_calls: Vec<ChatStreamToolCall>,
}

/// What a client of `stream/parts` asks for: the parts of one attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatPartsControl {
    pub history_version: i64,
    pub generation_attempt: i64,
}
