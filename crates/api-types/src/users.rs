//! Users: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `UserStatus`.
    pub enum UserStatus {
        Active = "active",
        Dormant = "dormant",
        Suspended = "suspended",
    }
}

/// `MinimalUser` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MinimalUser {
    pub id: Uuid,
    pub username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub avatar_url: String,
}

/// `ReducedUser` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReducedUser {
    pub id: Uuid,
    pub username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub avatar_url: String,
    pub email: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
    pub status: UserStatus,
    pub login_type: crate::api_keys::LoginType,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub is_service_account: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub theme_preference: String,
}

/// `User` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    pub id: Uuid,
    pub username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub avatar_url: String,
    pub email: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
    pub status: UserStatus,
    pub login_type: crate::api_keys::LoginType,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub is_service_account: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub theme_preference: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_ids: Vec<Uuid>,
    #[serde(deserialize_with = "crate::null_default")]
    pub roles: Vec<crate::organizations::SlimRole>,
    pub has_ai_seat: bool,
}

/// `GetUsersResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GetUsersResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub users: Vec<User>,
    pub count: i64,
}

/// `CreateFirstUserRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateFirstUserRequest {
    pub email: String,
    pub username: String,
    pub name: String,
    pub password: String,
    pub trial: bool,
    pub trial_info: CreateFirstUserTrialInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onboarding_info: Option<CreateFirstUserOnboardingInfo>,
}

/// `CreateFirstUserTrialInfo` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateFirstUserTrialInfo {
    pub first_name: String,
    pub last_name: String,
    pub phone_number: String,
    pub job_title: String,
    pub company_name: String,
    pub country: String,
    pub developers: String,
}

/// `CreateFirstUserOnboardingInfo` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateFirstUserOnboardingInfo {
    pub newsletter_marketing: bool,
    pub newsletter_releases: bool,
}

/// `CreateFirstUserResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateFirstUserResponse {
    pub user_id: Uuid,
    pub organization_id: Uuid,
}

/// `CreateUserRequestWithOrgs` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateUserRequestWithOrgs {
    pub email: String,
    pub username: String,
    pub name: String,
    pub password: String,
    pub login_type: crate::api_keys::LoginType,
    pub user_status: Option<UserStatus>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_ids: Vec<Uuid>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub service_account: bool,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub roles: Vec<String>,
}

/// `UpdateUserProfileRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateUserProfileRequest {
    pub username: String,
    pub name: String,
    pub avatar_url: String,
}

/// `ValidateUserPasswordRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValidateUserPasswordRequest {
    pub password: String,
}

/// `ValidateUserPasswordResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValidateUserPasswordResponse {
    pub valid: bool,
    pub details: String,
}

string_enum! {
    /// Values of `TerminalFontName`.
    pub enum TerminalFontName {
        GeistMono = "geist-mono",
        IbmPlexMono = "ibm-plex-mono",
        FiraCode = "fira-code",
        SourceCodePro = "source-code-pro",
        JetbrainsMono = "jetbrains-mono",
    }
}

string_enum! {
    /// Values of `ThemeMode`.
    pub enum ThemeMode {
        Sync = "sync",
        Single = "single",
    }
}

/// `UserAppearanceSettings` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserAppearanceSettings {
    pub theme_preference: String,
    pub theme_mode: ThemeMode,
    pub theme_light: String,
    pub theme_dark: String,
    pub terminal_font: TerminalFontName,
}

/// `UpdateUserAppearanceSettingsRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateUserAppearanceSettingsRequest {
    pub theme_preference: String,
    pub theme_mode: ThemeMode,
    pub theme_light: String,
    pub theme_dark: String,
    pub terminal_font: TerminalFontName,
}

/// `UserPreferenceSettings` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserPreferenceSettings {
    pub task_notification_alert_dismissed: bool,
    pub thinking_display_mode: ThinkingDisplayMode,
    pub shell_tool_display_mode: AgentDisplayMode,
    pub code_diff_display_mode: AgentDisplayMode,
    pub agent_chat_send_shortcut: AgentChatSendShortcut,
}

/// `UpdateUserPreferenceSettingsRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateUserPreferenceSettingsRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_notification_alert_dismissed: Option<bool>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub thinking_display_mode: ThinkingDisplayMode,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub shell_tool_display_mode: AgentDisplayMode,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub code_diff_display_mode: AgentDisplayMode,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub agent_chat_send_shortcut: AgentChatSendShortcut,
}

string_enum! {
    /// Values of `AgentChatSendShortcut`.
    pub enum AgentChatSendShortcut {
        Enter = "enter",
        ModifierEnter = "modifier_enter",
    }
}

string_enum! {
    /// Values of `ThinkingDisplayMode`.
    pub enum ThinkingDisplayMode {
        Auto = "auto",
        Preview = "preview",
        AlwaysExpanded = "always_expanded",
        AlwaysCollapsed = "always_collapsed",
    }
}

string_enum! {
    /// Values of `AgentDisplayMode`.
    pub enum AgentDisplayMode {
        Auto = "auto",
        AlwaysExpanded = "always_expanded",
        AlwaysCollapsed = "always_collapsed",
    }
}

/// `UpdateUserPasswordRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateUserPasswordRequest {
    pub old_password: String,
    pub password: String,
}

/// `UserQuietHoursScheduleResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserQuietHoursScheduleResponse {
    pub raw_schedule: String,
    pub user_set: bool,
    pub user_can_set: bool,
    pub time: String,
    pub timezone: String,
    pub next: DateTime<Utc>,
}

/// `UpdateUserQuietHoursScheduleRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateUserQuietHoursScheduleRequest {
    pub schedule: String,
}

/// `UpdateRoles` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateRoles {
    #[serde(deserialize_with = "crate::null_default")]
    pub roles: Vec<String>,
}

/// `UserRoles` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserRoles {
    #[serde(deserialize_with = "crate::null_default")]
    pub roles: Vec<String>,
    #[serde(deserialize_with = "crate::null_default")]
    pub organization_roles: std::collections::BTreeMap<Uuid, Vec<String>>,
}

/// `ConvertLoginRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConvertLoginRequest {
    pub to_type: crate::api_keys::LoginType,
    pub password: String,
}

/// `LoginWithPasswordRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginWithPasswordRequest {
    pub email: String,
    pub password: String,
}

/// `LoginWithPasswordResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginWithPasswordResponse {
    pub session_token: String,
}

/// `RequestOneTimePasscodeRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestOneTimePasscodeRequest {
    pub email: String,
}

/// `ChangePasswordWithOneTimePasscodeRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangePasswordWithOneTimePasscodeRequest {
    pub email: String,
    pub password: String,
    pub one_time_passcode: String,
}

/// `OAuthConversionResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OAuthConversionResponse {
    pub state_string: String,
    pub expires_at: DateTime<Utc>,
    pub to_type: crate::api_keys::LoginType,
    pub user_id: Uuid,
}

/// `AuthMethods` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthMethods {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub terms_of_service_url: String,
    pub password: AuthMethod,
    pub github: GithubAuthMethod,
    pub oidc: OidcAuthMethod,
}

/// `AuthMethod` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthMethod {
    pub enabled: bool,
}

/// `UserLoginType` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserLoginType {
    pub login_type: crate::api_keys::LoginType,
}

/// `GithubAuthMethod` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GithubAuthMethod {
    pub enabled: bool,
    pub default_provider_configured: bool,
}

/// `OIDCAuthMethod` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OidcAuthMethod {
    pub enabled: bool,
    #[serde(rename = "signInText")]
    pub sign_in_text: String,
    #[serde(rename = "iconUrl")]
    pub icon_url: String,
}

/// `UserParameter` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserParameter {
    pub name: String,
    pub value: String,
}
