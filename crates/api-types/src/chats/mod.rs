//! Chats with AI agents: request and response bodies.

mod advisor;
mod config;
mod debug;
mod files;
mod instructions;
mod messages;
mod parts;
mod requests;
mod stream;

pub use advisor::*;
pub use config::*;
pub use debug::*;
pub use files::*;
pub use instructions::*;
pub use messages::*;
pub use parts::*;
pub use requests::*;
pub use stream::*;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `ChatStatus`.
    pub enum ChatStatus {
        Waiting = "waiting",
        Running = "running",
        Error = "error",
        RequiresAction = "requires_action",
        Interrupting = "interrupting",
        Paused = "paused",
    }
}

string_enum! {
    /// Values of `ChatClientType`.
    pub enum ChatClientType {
        Ui = "ui",
        Api = "api",
    }
}

string_enum! {
    /// Values of `ChatPlanMode`; the empty text switches it off.
    pub enum ChatPlanMode {
        Plan = "plan",
    }
}

string_enum! {
    /// Values of `ChatErrorKind`.
    pub enum ChatErrorKind {
        Generic = "generic",
        Overloaded = "overloaded",
        RateLimit = "rate_limit",
        Timeout = "timeout",
        StreamSilenceTimeout = "stream_silence_timeout",
        Auth = "auth",
        Config = "config",
        UsageLimit = "usage_limit",
        MissingKey = "missing_key",
        ProviderDisabled = "provider_disabled",
        ContentFilter = "content_filter",
        HookDispatchFailed = "hook_dispatch_failed",
        HookDenied = "hook_denied",
    }
}

/// `ChatError` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatError {
    pub message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub kind: ChatErrorKind,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    pub retryable: bool,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub status_code: i32,
}

/// `Chat` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chat {
    pub id: Uuid,
    pub organization_id: Uuid,
    pub owner_id: Uuid,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub owner_username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub owner_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_chat_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_chat_id: Option<Uuid>,
    pub last_model_config_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reasoning_effort: Option<String>,
    pub title: String,
    pub status: ChatStatus,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub plan_mode: ChatPlanMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<ChatError>,
    pub last_turn_summary: Option<String>,
    pub summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff_status: Option<ChatDiffStatus>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub archived: bool,
    pub shared: bool,
    pub pin_order: i32,
    #[serde(deserialize_with = "crate::null_default")]
    pub mcp_server_ids: Vec<Uuid>,
    #[serde(deserialize_with = "crate::null_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub files: Vec<ChatFileMetadata>,
    pub has_unread: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ChatContext>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub queued_for_capacity: bool,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub warnings: Vec<String>,
    pub client_type: ChatClientType,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub inline_mcp_servers: Vec<InlineMcpServer>,
    #[serde(deserialize_with = "crate::null_default")]
    pub children: Vec<Chat>,
}

/// `ChatContext` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatContext {
    pub dirty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub resources: Vec<ChatContextResource>,
}

/// `ChatContextResource` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatContextResource {
    pub source: String,
    pub kind: String,
    pub size_bytes: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill_description: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tools: Vec<ChatContextTool>,
    pub status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// `ChatContextTool` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatContextTool {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// `ChatDiffStatus` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatDiffStatus {
    pub chat_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request_state: Option<String>,
    pub pull_request_title: String,
    pub pull_request_draft: bool,
    pub changes_requested: bool,
    pub additions: i32,
    pub deletions: i32,
    pub changed_files: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_login: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr_number: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewer_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_at: Option<DateTime<Utc>>,
}

/// `ChatDiffContents` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatDiffContents {
    pub chat_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request_url: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
}

/// `ChatCost` of the API: of the whole tree of a chat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatCost {
    pub chat_id: Uuid,
    pub total_cost_micros: i64,
    pub request_count: i64,
    pub unpriced_request_count: i64,
}
