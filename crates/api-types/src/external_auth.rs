//! External auth: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `ExternalAuth` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalAuth {
    pub authenticated: bool,
    pub device: bool,
    pub display_name: String,
    pub supports_revocation: bool,
    pub user: Option<ExternalAuthUser>,
    pub app_installable: bool,
    #[serde(deserialize_with = "crate::null_default")]
    pub installations: Vec<ExternalAuthAppInstallation>,
    pub app_install_url: String,
}

/// `ListUserExternalAuthResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListUserExternalAuthResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub providers: Vec<ExternalAuthLinkProvider>,
    #[serde(deserialize_with = "crate::null_default")]
    pub links: Vec<ExternalAuthLink>,
}

/// `ExternalAuthLink` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalAuthLink {
    pub provider_id: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub has_refresh_token: bool,
    pub expires: DateTime<Utc>,
    pub authenticated: bool,
    pub validate_error: String,
}

/// `ExternalAuthLinkProvider` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalAuthLinkProvider {
    pub id: String,
    pub r#type: String,
    pub device: bool,
    pub display_name: String,
    pub display_icon: String,
    pub allow_refresh: bool,
    pub allow_validate: bool,
    pub supports_revocation: bool,
    #[serde(deserialize_with = "crate::null_default")]
    pub code_challenge_methods_supported: Vec<String>,
}

/// `ExternalAuthAppInstallation` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalAuthAppInstallation {
    pub id: i64,
    pub account: ExternalAuthUser,
    pub configure_url: String,
}

/// `ExternalAuthUser` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalAuthUser {
    pub id: i64,
    pub login: String,
    pub avatar_url: String,
    pub profile_url: String,
    pub name: String,
}

/// `ExternalAuthDevice` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalAuthDevice {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    pub expires_in: i64,
    pub interval: i64,
}
