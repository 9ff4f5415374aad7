//! Files: request and response bodies.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `UploadResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UploadResponse {
    pub hash: Uuid,
}
