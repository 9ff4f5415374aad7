//! Workspaces: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::WorkspaceRole;

string_enum! {
    /// Values of `AutomaticUpdates`.
    pub enum AutomaticUpdates {
        Always = "always",
        Never = "never",
    }
}

/// `Workspace` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workspace {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub owner_id: Uuid,
    pub owner_name: String,
    pub owner_avatar_url: String,
    pub organization_id: Uuid,
    pub organization_name: String,
    pub template_id: Uuid,
    pub template_name: String,
    pub template_display_name: String,
    pub template_icon: String,
    pub template_allow_user_cancel_workspace_jobs: bool,
    pub template_active_version_id: Uuid,
    pub template_require_active_version: bool,
    pub template_use_classic_parameter_flow: bool,
    pub latest_build: crate::workspace_builds::WorkspaceBuild,
    pub latest_app_status: Option<crate::workspace_agents::WorkspaceAppStatus>,
    pub outdated: bool,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autostart_schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
    pub last_used_at: DateTime<Utc>,
    pub deleting_at: Option<DateTime<Utc>>,
    pub dormant_at: Option<DateTime<Utc>>,
    pub health: WorkspaceHealth,
    pub automatic_updates: AutomaticUpdates,
    pub allow_renames: bool,
    pub favorite: bool,
    pub next_start_at: Option<DateTime<Utc>>,
    pub is_prebuild: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<Uuid>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub shared_with: Vec<SharedWorkspaceActor>,
}

/// `WorkspaceHealth` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceHealth {
    pub healthy: bool,
    #[serde(deserialize_with = "crate::null_default")]
    pub failing_agents: Vec<Uuid>,
}

/// `WorkspacesResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspacesResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub workspaces: Vec<Workspace>,
    pub count: i64,
}

string_enum! {
    /// Values of `ProvisionerLogLevel`.
    pub enum ProvisionerLogLevel {
        Debug = "debug",
    }
}

string_enum! {
    /// Values of `CreateWorkspaceBuildReason`.
    pub enum CreateWorkspaceBuildReason {
        Dashboard = "dashboard",
        Cli = "cli",
        SshConnection = "ssh_connection",
        VscodeConnection = "vscode_connection",
        JetbrainsConnection = "jetbrains_connection",
        TaskManualPause = "task_manual_pause",
        TaskResume = "task_resume",
    }
}

/// `CreateWorkspaceBuildRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateWorkspaceBuildRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version_id: Option<Uuid>,
    pub transition: crate::workspace_builds::WorkspaceTransition,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub dry_run: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub orphan: bool,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub rich_parameter_values: Vec<crate::workspace_builds::WorkspaceBuildParameter>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub log_level: ProvisionerLogLevel,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version_preset_id: Option<Uuid>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub reason: CreateWorkspaceBuildReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_success: Option<CreateWorkspaceBuildOnSuccessRequest>,
}

/// `CreateWorkspaceBuildOnSuccessRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateWorkspaceBuildOnSuccessRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version_id: Option<Uuid>,
    pub transition: crate::workspace_builds::WorkspaceTransition,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub rich_parameter_values: Vec<crate::workspace_builds::WorkspaceBuildParameter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version_preset_id: Option<Uuid>,
}

/// `UpdateWorkspaceRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateWorkspaceRequest {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// `UpdateWorkspaceAutostartRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateWorkspaceAutostartRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
}

/// `UpdateWorkspaceTTLRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateWorkspaceTtlRequest {
    pub ttl_ms: Option<i64>,
}

/// `PutExtendWorkspaceRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PutExtendWorkspaceRequest {
    pub deadline: DateTime<Utc>,
}

/// `PostWorkspaceUsageRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostWorkspaceUsageRequest {
    pub agent_id: Uuid,
    pub app_name: UsageAppName,
}

string_enum! {
    /// Values of `UsageAppName`.
    pub enum UsageAppName {
        Vscode = "vscode",
        Jetbrains = "jetbrains",
        ReconnectingPty = "reconnecting-pty",
        Ssh = "ssh",
    }
}

/// `UpdateWorkspaceDormancy` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateWorkspaceDormancy {
    pub dormant: bool,
}

/// `UpdateWorkspaceAutomaticUpdatesRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateWorkspaceAutomaticUpdatesRequest {
    pub automatic_updates: AutomaticUpdates,
}

/// `WorkspaceQuota` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceQuota {
    pub credits_consumed: i64,
    pub budget: i64,
}

/// `ResolveAutostartResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResolveAutostartResponse {
    pub parameter_mismatch: bool,
}

/// `SharedWorkspaceActor` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedWorkspaceActor {
    pub id: Uuid,
    pub actor_type: SharedWorkspaceActorType,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub avatar_url: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub roles: Vec<WorkspaceRole>,
}

string_enum! {
    /// Values of `SharedWorkspaceActorType`.
    pub enum SharedWorkspaceActorType {
        Group = "group",
        User = "user",
    }
}

/// `ExternalAgentCredentials` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalAgentCredentials {
    pub command: String,
    pub agent_token: String,
}

/// `CreateWorkspaceRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateWorkspaceRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version_id: Option<Uuid>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autostart_schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub rich_parameter_values: Vec<crate::workspace_builds::WorkspaceBuildParameter>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub automatic_updates: AutomaticUpdates,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version_preset_id: Option<Uuid>,
}
