//! Workspace builds: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `WorkspaceTransition`.
    pub enum WorkspaceTransition {
        Start = "start",
        Stop = "stop",
        Delete = "delete",
    }
}

string_enum! {
    /// Values of `WorkspaceStatus`.
    pub enum WorkspaceStatus {
        Pending = "pending",
        Starting = "starting",
        Running = "running",
        Stopping = "stopping",
        Stopped = "stopped",
        Failed = "failed",
        Canceling = "canceling",
        Canceled = "canceled",
        Deleting = "deleting",
        Deleted = "deleted",
    }
}

string_enum! {
    /// Values of `BuildReason`.
    pub enum BuildReason {
        Initiator = "initiator",
        Autostart = "autostart",
        Autostop = "autostop",
        Dormancy = "dormancy",
        Dashboard = "dashboard",
        Cli = "cli",
        SshConnection = "ssh_connection",
        VscodeConnection = "vscode_connection",
        JetbrainsConnection = "jetbrains_connection",
        TaskAutoPause = "task_auto_pause",
        TaskManualPause = "task_manual_pause",
        TaskResume = "task_resume",
    }
}

/// `WorkspaceBuild` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceBuild {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub workspace_id: Uuid,
    pub workspace_name: String,
    pub workspace_owner_id: Uuid,
    pub workspace_owner_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_owner_avatar_url: String,
    pub template_version_id: Uuid,
    pub template_version_name: String,
    pub build_number: i32,
    pub transition: WorkspaceTransition,
    pub initiator_id: Uuid,
    pub initiator_name: String,
    pub job: crate::provisioners::ProvisionerJob,
    pub reason: BuildReason,
    #[serde(deserialize_with = "crate::null_default")]
    pub resources: Vec<WorkspaceResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_deadline: Option<DateTime<Utc>>,
    pub status: WorkspaceStatus,
    pub daily_cost: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_provisioners: Option<crate::provisioners::MatchedProvisioners>,
    pub template_version_preset_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_ai_task: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_external_agent: Option<bool>,
}

/// `WorkspaceResource` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceResource {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub job_id: Uuid,
    pub workspace_transition: WorkspaceTransition,
    pub r#type: String,
    pub name: String,
    pub hide: bool,
    pub icon: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub agents: Vec<crate::workspace_agents::WorkspaceAgent>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub metadata: Vec<WorkspaceResourceMetadata>,
    pub daily_cost: i32,
}

/// `WorkspaceResourceMetadata` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceResourceMetadata {
    pub key: String,
    pub value: String,
    pub sensitive: bool,
}

/// `WorkspaceBuildParameter` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceBuildParameter {
    pub name: String,
    pub value: String,
}

/// `UpdateWorkspaceBuildStateRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateWorkspaceBuildStateRequest {
    pub state: String,
}

string_enum! {
    /// Values of `TimingStage`.
    pub enum TimingStage {
        Init = "init",
        Plan = "plan",
        Graph = "graph",
        Apply = "apply",
        Start = "start",
        Stop = "stop",
        Cron = "cron",
        Connect = "connect",
    }
}

/// `ProvisionerTiming` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerTiming {
    pub job_id: Uuid,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub stage: TimingStage,
    pub source: String,
    pub action: String,
    pub resource: String,
}

/// `AgentScriptTiming` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentScriptTiming {
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub exit_code: i32,
    pub stage: TimingStage,
    pub status: String,
    pub display_name: String,
    pub workspace_agent_id: String,
    pub workspace_agent_name: String,
}

/// `AgentConnectionTiming` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentConnectionTiming {
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub stage: TimingStage,
    pub workspace_agent_id: String,
    pub workspace_agent_name: String,
}

/// `WorkspaceBuildTimings` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceBuildTimings {
    #[serde(deserialize_with = "crate::null_default")]
    pub provisioner_timings: Vec<ProvisionerTiming>,
    #[serde(deserialize_with = "crate::null_default")]
    pub agent_script_timings: Vec<AgentScriptTiming>,
    #[serde(deserialize_with = "crate::null_default")]
    pub agent_connection_timings: Vec<AgentConnectionTiming>,
}
