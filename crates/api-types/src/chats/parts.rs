//! The parts that messages of a chat are made of.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

string_enum! {
    /// Values of `ChatMessagePartType`.
    pub enum ChatMessagePartType {
        Text = "text",
        Reasoning = "reasoning",
        ToolCall = "tool-call",
        ToolResult = "tool-result",
        Source = "source",
        File = "file",
        FileReference = "file-reference",
        WorkspaceFileReference = "workspace-file-reference",
        ContextFile = "context-file",
        Skill = "skill",
        HookContext = "hook-context",
        HookNotice = "hook-notice",
    }
}

/// `ChatMessagePart` of the API. What is stored is this too; [`ChatMessagePart::for_clients`]
/// takes away what only the model's provider understands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatMessagePart {
    #[serde(rename = "type")]
    pub kind: ChatMessagePartType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tool_call_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tool_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_server_config_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub args_delta: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub parsed_commands: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub result_delta: String,
    /// What the advisor thinks before it answers; only while it streams.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reasoning_delta: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub result_reset: bool,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub is_error: bool,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub is_media: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Base64; only where there is no `file_id`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_line: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What the provider wants back unchanged (signatures, opaque reasoning). Never sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_metadata: Option<Value>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub provider_executed: bool,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub hook_rewritten: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_file_path: Option<String>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub context_file_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_file_agent_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skill_name: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill_description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_file_path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_file_name: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub workspace_file_size: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_file_media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_file_workspace_id: Option<Uuid>,
}

impl ChatMessagePart {
    /// Text said.
    pub fn text(text: impl Into<String>) -> Self {
        ChatMessagePart {
            kind: ChatMessagePartType::Text,
            text: Some(text.into()),
            ..Default::default()
        }
    }

    /// Text thought.
    pub fn reasoning(text: impl Into<String>) -> Self {
        ChatMessagePart {
            kind: ChatMessagePartType::Reasoning,
            ..ChatMessagePart::text(text)
        }
    }

    /// A call of a tool.
    pub fn tool_call(id: &str, name: &str, args: Value) -> Self {
        ChatMessagePart {
            kind: ChatMessagePartType::ToolCall,
            tool_call_id: id.to_owned(),
            tool_name: name.to_owned(),
            args: Some(args),
            ..Default::default()
        }
    }

    /// What a tool answered.
    pub fn tool_result(id: &str, name: &str, result: Value, is_error: bool) -> Self {
        ChatMessagePart {
            kind: ChatMessagePartType::ToolResult,
            tool_call_id: id.to_owned(),
            tool_name: name.to_owned(),
            result: Some(result),
            is_error,
            ..Default::default()
        }
    }

    /// An uploaded file.
    pub fn file(id: Uuid, media_type: &str, name: &str) -> Self {
        ChatMessagePart {
            kind: ChatMessagePartType::File,
            file_id: Some(id),
            media_type: Some(media_type.to_owned()),
            name: name.to_owned(),
            ..Default::default()
        }
    }

    /// The part without what is not for clients.
    #[must_use]
    pub fn for_clients(mut self) -> Self {
        self.provider_metadata = None;
        if self.file_id.is_some() {
            self.data.clear();
        }
        self
    }
}

string_enum! {
    /// Values of `ChatInputPartType`.
    pub enum ChatInputPartType {
        Text = "text",
        File = "file",
        FileReference = "file-reference",
        WorkspaceFileReference = "workspace-file-reference",
    }
}

/// `ChatInputPart` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatInputPart {
    #[serde(rename = "type")]
    pub kind: ChatInputPartType,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<Uuid>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file_name: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub start_line: i64,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub end_line: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_file_path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_file_name: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub workspace_file_size: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_file_media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_file_workspace_id: Option<Uuid>,
}

impl ChatInputPart {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        ChatInputPart {
            kind: ChatInputPartType::Text,
            text: text.into(),
            ..Default::default()
        }
    }
}
