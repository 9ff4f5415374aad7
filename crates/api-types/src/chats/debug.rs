//! Debug logs of chats.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// `ChatDebugRunSummary` of the API: a turn, title, label or summary for which models were called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatDebugRunSummary {
    /// The id.
    pub id: Uuid,
    /// The chat.
    pub chat_id: Uuid,
    /// `chat_turn`, `title_generation`, `quickgen` or `compaction`.
    pub kind: String,
    /// `in_progress`, `completed`, `error` or `interrupted`.
    pub status: String,
    /// Type of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model's name for the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Figures over its steps.
    pub summary: Value,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When something of it was written last.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
}

/// `ChatDebugRun` of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatDebugRun {
    /// What a list shows of it.
    #[serde(flatten)]
    pub head: ChatDebugRunSummary,
    /// The topmost chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_chat_id: Option<Uuid>,
    /// The chat above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_chat_id: Option<Uuid>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config_id: Option<Uuid>,
    /// The message of the user that is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_message_id: Option<i64>,
    /// The newest message when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_tip_message_id: Option<i64>,
    /// The calls.
    pub steps: Vec<ChatDebugStep>,
}

/// `ChatDebugStep` of the API: one call of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatDebugStep {
    /// The id.
    pub id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// The chat.
    pub chat_id: Uuid,
    /// Counted from 1.
    pub step_number: i32,
    /// `stream` or `generate`.
    pub operation: String,
    /// `in_progress`, `completed`, `error` or `interrupted`.
    pub status: String,
    /// The newest message when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_tip_message_id: Option<i64>,
    /// The message that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistant_message_id: Option<i64>,
    /// What was asked.
    pub normalized_request: Value,
    /// What was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_response: Option<Value>,
    /// Tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Value>,
    /// Exchanges with the provider; bodies in base64.
    pub attempts: Value,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// More.
    pub metadata: Value,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was written last.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
}
