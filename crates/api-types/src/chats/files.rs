//! Files of chats.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `ChatFileMetadata` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatFileMetadata {
    pub id: Uuid,
    pub owner_id: Uuid,
    pub organization_id: Uuid,
    pub name: String,
    pub mime_type: String,
    pub size_bytes: i64,
    pub created_at: DateTime<Utc>,
}

/// `UploadChatFileResponse` of the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UploadChatFileResponse {
    pub id: Uuid,
}

/// `ChatFileDownloadURLResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatFileDownloadUrlResponse {
    pub url: String,
    pub expires_at: DateTime<Utc>,
    pub sha256: String,
    pub size_bytes: i64,
    pub name: String,
    pub mime_type: String,
}

/// What `POST /chats/{chat}/workspace-files` answers: a file that lies in the chat's workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatWorkspaceFile {
    /// Absolute, in the workspace.
    pub path: String,
    pub name: String,
    pub size: i64,
    pub media_type: String,
    pub workspace_id: Uuid,
}
