//! What clients ask of chats.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{ChatClientType, ChatInputPart, ChatMessage, ChatPlanMode, ChatQueuedMessage};
use crate::Secret;

/// `CreateChatRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateChatRequest {
    pub organization_id: Uuid,
    /// For whom, if not for oneself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<Uuid>,
    #[serde(deserialize_with = "crate::null_default")]
    pub content: Vec<ChatInputPart>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub mcp_server_ids: Vec<Uuid>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub labels: BTreeMap<String, String>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub unsafe_dynamic_tools: Vec<DynamicTool>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub inline_mcp_servers: Vec<InlineMcpServer>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub plan_mode: ChatPlanMode,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub client_type: ChatClientType,
}

/// What is changed of a message that waits; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateChatQueuedMessageRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<ChatInputPart>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// Its owner begins to change it, or is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub editing: Option<bool>,
}

/// An MCP server that one chat brings along. Its headers are never told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InlineMcpServer {
    pub slug: String,
    pub url: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub headers: BTreeMap<String, Secret<String>>,
    /// Only in answers: there are headers.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub has_headers: bool,
    #[serde(deserialize_with = "crate::null_default")]
    pub tool_allow_list: Vec<String>,
    #[serde(deserialize_with = "crate::null_default")]
    pub tool_deny_list: Vec<String>,
    pub allow_in_subagents: bool,
    pub forward_coder_headers: bool,
}

/// `DynamicTool` of the API: a tool that the client runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DynamicTool {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub input_schema: Value,
}

/// `UpdateChatRequest` of the API; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateChatRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_order: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_mode: Option<ChatPlanMode>,
}

string_enum! {
    /// Values of `ChatBusyBehavior`.
    pub enum ChatBusyBehavior {
        Queue = "queue",
        Interrupt = "interrupt",
    }
}

/// `CreateChatMessageRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateChatMessageRequest {
    #[serde(deserialize_with = "crate::null_default")]
    pub content: Vec<ChatInputPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_server_ids: Option<Vec<Uuid>>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub busy_behavior: ChatBusyBehavior,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_mode: Option<ChatPlanMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
}

/// `CreateChatMessageResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateChatMessageResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<ChatMessage>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub messages: Vec<ChatMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_message: Option<ChatQueuedMessage>,
    pub queued: bool,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub warnings: Vec<String>,
}

/// `EditChatMessageRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EditChatMessageRequest {
    #[serde(deserialize_with = "crate::null_default")]
    pub content: Vec<ChatInputPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_server_ids: Option<Vec<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
}

/// `EditChatMessageResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EditChatMessageResponse {
    pub message: ChatMessage,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub messages: Vec<ChatMessage>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub deleted_message_ids: Vec<i64>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub warnings: Vec<String>,
}

/// `SubmitToolResultsRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubmitToolResultsRequest {
    #[serde(deserialize_with = "crate::null_default")]
    pub results: Vec<ChatToolResult>,
}

/// `ToolResult` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatToolResult {
    pub tool_call_id: String,
    pub output: Value,
    pub is_error: bool,
}

/// `ProposeChatTitleResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProposeChatTitleResponse {
    pub title: String,
}
