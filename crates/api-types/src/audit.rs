//! Audit: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `ResourceType`.
    pub enum ResourceType {
        Template = "template",
        TemplateVersion = "template_version",
        User = "user",
        Workspace = "workspace",
        WorkspaceBuild = "workspace_build",
        GitSshKey = "git_ssh_key",
        ApiKey = "api_key",
        Group = "group",
        License = "license",
        ConvertLogin = "convert_login",
        HealthSettings = "health_settings",
        NotificationsSettings = "notifications_settings",
        PrebuildsSettings = "prebuilds_settings",
        Oauth2ProviderSettings = "oauth2_provider_settings",
        WorkspaceProxy = "workspace_proxy",
        Organization = "organization",
        Oauth2ProviderApp = "oauth2_provider_app",
        Oauth2ProviderAppSecret = "oauth2_provider_app_secret",
        CustomRole = "custom_role",
        OrganizationMember = "organization_member",
        NotificationTemplate = "notification_template",
        IdpSyncSettingsOrganization = "idp_sync_settings_organization",
        IdpSyncSettingsGroup = "idp_sync_settings_group",
        IdpSyncSettingsRole = "idp_sync_settings_role",
        WorkspaceAgent = "workspace_agent",
        WorkspaceApp = "workspace_app",
        Task = "task",
        AiSeat = "ai_seat",
        AiProvider = "ai_provider",
        AiProviderKey = "ai_provider_key",
        AiGatewayKey = "ai_gateway_key",
        GroupAiBudget = "group_ai_budget",
        UserAiBudgetOverride = "user_ai_budget_override",
        Chat = "chat",
        McpServerConfig = "mcp_server_config",
        UserSecret = "user_secret",
        UserSkill = "user_skill",
        ChatInstructionSettings = "chat_instruction_settings",
    }
}

string_enum! {
    /// Values of `AuditAction`.
    pub enum AuditAction {
        Create = "create",
        Write = "write",
        Delete = "delete",
        Start = "start",
        Stop = "stop",
        Login = "login",
        Logout = "logout",
        Register = "register",
        RequestPasswordReset = "request_password_reset",
        Connect = "connect",
        Disconnect = "disconnect",
        Open = "open",
        Close = "close",
    }
}

/// `AuditDiffField` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditDiffField {
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub old: serde_json::Value,
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub new: serde_json::Value,
    pub secret: bool,
}

/// `AuditLog` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditLog {
    pub id: Uuid,
    pub request_id: Uuid,
    pub time: DateTime<Utc>,
    pub ip: String,
    pub user_agent: String,
    pub resource_type: ResourceType,
    pub resource_id: Uuid,
    pub resource_target: String,
    pub resource_icon: String,
    pub action: AuditAction,
    #[serde(deserialize_with = "crate::null_default")]
    pub diff: std::collections::BTreeMap<String, AuditDiffField>,
    pub status_code: i32,
    pub additional_fields: serde_json::Value,
    pub description: String,
    pub resource_link: String,
    pub is_deleted: bool,
    pub organization_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<crate::organizations::MinimalOrganization>,
    pub user: Option<crate::users::User>,
}

/// `AuditLogResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditLogResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub audit_logs: Vec<AuditLog>,
    pub count: i64,
    pub count_cap: i64,
}
