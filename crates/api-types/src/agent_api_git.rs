//! Changes in git repositories of a workspace, as its agent and the chat API stream them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

string_enum! {
    /// Values of `WorkspaceAgentGitClientMessageType`.
    pub enum WorkspaceAgentGitClientMessageType {
        Refresh = "refresh",
    }
}

string_enum! {
    /// Values of `WorkspaceAgentGitServerMessageType`.
    pub enum WorkspaceAgentGitServerMessageType {
        Changes = "changes",
        Error = "error",
    }
}

/// `WorkspaceAgentGitClientMessage`: what a watcher asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentGitClientMessage {
    pub r#type: WorkspaceAgentGitClientMessageType,
}

/// `WorkspaceAgentGitServerMessage`: repositories that have changed since the message before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentGitServerMessage {
    pub r#type: WorkspaceAgentGitServerMessageType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanned_at: Option<DateTime<Utc>>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub repositories: Vec<WorkspaceAgentRepoChanges>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// `WorkspaceAgentRepoChanges`: a working tree against its last commit; of one that is gone, only
/// where it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentRepoChanges {
    pub repo_root: String,
    pub branch: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_origin: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unified_diff: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub removed: bool,
}
