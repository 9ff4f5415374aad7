//! Secrets of people for their workspaces: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `UserSecret` of the API: everything but the value, which no answer holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserSecret {
    pub id: Uuid,
    pub name: String,
    pub description: String,
    pub env_name: String,
    pub file_path: String,
    pub enabled: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// `CreateUserSecretRequest` of the API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateUserSecretRequest {
    pub name: String,
    pub value: crate::Secret<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub env_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// `UpdateUserSecretRequest` of the API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateUserSecretRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<crate::Secret<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

string_enum! {
    /// Values of `SecretsFileFormat`.
    pub enum SecretsFileFormat {
        Env = "env",
        Json = "json",
        Yaml = "yaml",
    }
}

/// `ImportUserSecretsRequest` of the API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportUserSecretsRequest {
    pub format: SecretsFileFormat,
    /// The whole file.
    pub content: crate::Secret<String>,
}
