//! MCP servers that an organization offers to the chats of its members.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Secret;

/// `MCPServerConfig` of the API. Who may not manage servers gets no addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpServerConfig {
    pub id: Uuid,
    pub organization_id: Uuid,
    pub display_name: String,
    pub slug: String,
    pub description: String,
    pub icon_url: String,
    /// `streamable_http` or `sse`.
    pub transport: String,
    pub url: String,
    /// `none`, `oauth2`, `api_key`, `custom_headers` or `user_oidc`.
    pub auth_type: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub oauth2_client_id: String,
    pub has_oauth2_secret: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub oauth2_auth_url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub oauth2_token_url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub oauth2_revocation_url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub oauth2_scopes: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_key_header: String,
    pub has_api_key: bool,
    pub has_custom_headers: bool,
    #[serde(default, deserialize_with = "crate::null_default")]
    pub tool_allow_list: Vec<String>,
    #[serde(default, deserialize_with = "crate::null_default")]
    pub tool_deny_list: Vec<String>,
    /// `force_on`, `default_on` or `default_off`.
    pub availability: String,
    pub enabled: bool,
    pub model_intent: bool,
    pub allow_in_plan_mode: bool,
    pub forward_coder_headers: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The asking user can use it: nothing is needed, or the account is connected.
    pub auth_connected: bool,
}

/// `CreateMCPServerConfigRequest` and `UpdateMCPServerConfigRequest` of the API: of a change, what
/// is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct McpServerConfigRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_client_secret: Option<Secret<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_auth_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_token_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_revocation_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_scopes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_value: Option<Secret<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_headers: Option<BTreeMap<String, Secret<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_allow_list: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_deny_list: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_intent: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_in_plan_mode: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_coder_headers: Option<bool>,
}

/// `MCPServerOAuth2DisconnectResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct McpServerDisconnected {
    /// The provider took the token back too.
    pub token_revoked: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token_revocation_error: String,
}
