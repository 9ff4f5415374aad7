//! Api keys: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `APIKey` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiKey {
    pub id: String,
    pub user_id: Uuid,
    pub last_used: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub login_type: LoginType,
    pub scope: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub scopes: Vec<String>,
    pub token_name: String,
    pub lifetime_seconds: i64,
    #[serde(deserialize_with = "crate::null_default")]
    pub allow_list: Vec<ApiAllowListTarget>,
}

string_enum! {
    /// Values of `LoginType`.
    pub enum LoginType {
        Password = "password",
        Github = "github",
        Oidc = "oidc",
        Token = "token",
        None = "none",
    }
}

/// `CreateTokenRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateTokenRequest {
    pub lifetime: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub scopes: Vec<String>,
    pub token_name: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allow_list: Vec<ApiAllowListTarget>,
}

/// `GenerateAPIKeyResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerateApiKeyResponse {
    pub key: String,
}

/// `APIKeyWithOwner` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiKeyWithOwner {
    pub id: String,
    pub user_id: Uuid,
    pub last_used: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub login_type: LoginType,
    pub scope: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub scopes: Vec<String>,
    pub token_name: String,
    pub lifetime_seconds: i64,
    #[serde(deserialize_with = "crate::null_default")]
    pub allow_list: Vec<ApiAllowListTarget>,
    pub username: String,
}

/// `TokenConfig` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenConfig {
    pub max_token_lifetime: i64,
}

/// `APIAllowListTarget` of the API: the text `<type>:<id>` in JSON, where `*` stands for any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiAllowListTarget {
    /// Kind of resource.
    pub r#type: String,
    /// Its id.
    pub id: String,
}

impl TryFrom<String> for ApiAllowListTarget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.trim().split_once(':') {
            Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Ok(Self {
                r#type: kind.to_owned(),
                id: id.to_owned(),
            }),
            _ => Err(format!(
                "invalid allow_list entry {text:?}: want <type>:<id>"
            )),
        }
    }
}

impl From<ApiAllowListTarget> for String {
    fn from(target: ApiAllowListTarget) -> Self {
        format!("{}:{}", target.r#type, target.id)
    }
}
