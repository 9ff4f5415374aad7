//! Workspace agents: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `WorkspaceAgentStatus`.
    pub enum WorkspaceAgentStatus {
        Connecting = "connecting",
        Connected = "connected",
        Disconnected = "disconnected",
        Timeout = "timeout",
    }
}

string_enum! {
    /// Values of `WorkspaceAgentLifecycle`.
    pub enum WorkspaceAgentLifecycle {
        Created = "created",
        Starting = "starting",
        StartTimeout = "start_timeout",
        StartError = "start_error",
        Ready = "ready",
        ShuttingDown = "shutting_down",
        ShutdownTimeout = "shutdown_timeout",
        ShutdownError = "shutdown_error",
        Off = "off",
    }
}

string_enum! {
    /// Values of `WorkspaceAgentStartupScriptBehavior`.
    pub enum WorkspaceAgentStartupScriptBehavior {
        Blocking = "blocking",
        NonBlocking = "non-blocking",
    }
}

/// `WorkspaceAgentMetadataResult` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentMetadataResult {
    pub collected_at: DateTime<Utc>,
    pub age: i64,
    pub value: String,
    pub error: String,
}

/// `WorkspaceAgentMetadataDescription` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentMetadataDescription {
    pub display_name: String,
    pub key: String,
    pub script: String,
    pub interval: i64,
    pub timeout: i64,
}

/// `WorkspaceAgentMetadata` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentMetadata {
    pub result: WorkspaceAgentMetadataResult,
    pub description: WorkspaceAgentMetadataDescription,
}

string_enum! {
    /// Values of `DisplayApp`.
    pub enum DisplayApp {
        Vscode = "vscode",
        VscodeInsiders = "vscode_insiders",
        WebTerminal = "web_terminal",
        PortForwardingHelper = "port_forwarding_helper",
        SshHelper = "ssh_helper",
    }
}

/// `WorkspaceAgent` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgent {
    pub id: Uuid,
    pub parent_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_connected_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_connected_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<DateTime<Utc>>,
    pub status: WorkspaceAgentStatus,
    pub lifecycle_state: WorkspaceAgentLifecycle,
    pub name: String,
    pub resource_id: Uuid,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub instance_id: String,
    pub architecture: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub environment_variables: std::collections::BTreeMap<String, String>,
    pub operating_system: String,
    pub logs_length: i32,
    pub logs_overflowed: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub directory: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expanded_directory: String,
    pub version: String,
    pub api_version: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub apps: Vec<WorkspaceApp>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "std::collections::BTreeMap::is_empty"
    )]
    pub latency: std::collections::BTreeMap<String, DerpRegion>,
    pub connection_timeout_seconds: i32,
    pub troubleshooting_url: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub subsystems: Vec<AgentSubsystem>,
    pub health: WorkspaceAgentHealth,
    #[serde(deserialize_with = "crate::null_default")]
    pub display_apps: Vec<DisplayApp>,
    #[serde(deserialize_with = "crate::null_default")]
    pub log_sources: Vec<WorkspaceAgentLogSource>,
    #[serde(deserialize_with = "crate::null_default")]
    pub scripts: Vec<WorkspaceAgentScript>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub metadata: Vec<WorkspaceAgentMetadata>,
    pub startup_script_behavior: WorkspaceAgentStartupScriptBehavior,
}

/// `WorkspaceAgentLogSource` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentLogSource {
    pub workspace_agent_id: Uuid,
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub display_name: String,
    pub icon: String,
}

string_enum! {
    /// Values of `WorkspaceAgentScriptStatus`.
    pub enum WorkspaceAgentScriptStatus {
        Ok = "ok",
        ExitFailure = "exit_failure",
        TimedOut = "timed_out",
        PipesLeftOpen = "pipes_left_open",
    }
}

/// `WorkspaceAgentScript` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentScript {
    pub id: Uuid,
    pub log_source_id: Uuid,
    pub log_path: String,
    pub script: String,
    pub cron: String,
    pub run_on_start: bool,
    pub run_on_stop: bool,
    pub start_blocks_login: bool,
    pub timeout: i64,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<WorkspaceAgentScriptStatus>,
}

/// `WorkspaceAgentHealth` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentHealth {
    pub healthy: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// `DERPRegion` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DerpRegion {
    pub preferred: bool,
    pub latency_ms: f64,
}

/// `WorkspaceAgentLog` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentLog {
    pub id: i64,
    pub created_at: DateTime<Utc>,
    pub output: String,
    pub level: crate::provisioners::LogLevel,
    pub source_id: Uuid,
}

string_enum! {
    /// Values of `AgentSubsystem`.
    pub enum AgentSubsystem {
        Envbox = "envbox",
        Envbuilder = "envbuilder",
        Exectrace = "exectrace",
    }
}

/// `WorkspaceAgentListeningPortsResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentListeningPortsResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub ports: Vec<WorkspaceAgentListeningPort>,
}

/// `WorkspaceAgentListeningPort` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentListeningPort {
    pub process_name: String,
    pub network: String,
    pub port: u16,
}

string_enum! {
    /// Values of `WorkspaceAgentDevcontainerStatus`.
    pub enum WorkspaceAgentDevcontainerStatus {
        Running = "running",
        Stopped = "stopped",
        Starting = "starting",
        Stopping = "stopping",
        Deleting = "deleting",
        Error = "error",
    }
}

/// `WorkspaceAgentDevcontainer` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentDevcontainer {
    pub id: Uuid,
    pub name: String,
    pub workspace_folder: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subagent_id: Option<Uuid>,
    pub status: WorkspaceAgentDevcontainerStatus,
    pub dirty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<WorkspaceAgentContainer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<WorkspaceAgentDevcontainerAgent>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// `WorkspaceAgentDevcontainerAgent` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentDevcontainerAgent {
    pub id: Uuid,
    pub name: String,
    pub directory: String,
}

/// `WorkspaceAgentContainer` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentContainer {
    pub created_at: DateTime<Utc>,
    pub id: String,
    pub name: String,
    pub image: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub labels: std::collections::BTreeMap<String, String>,
    pub running: bool,
    #[serde(deserialize_with = "crate::null_default")]
    pub ports: Vec<WorkspaceAgentContainerPort>,
    pub status: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub volumes: std::collections::BTreeMap<String, String>,
}

/// `WorkspaceAgentContainerPort` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentContainerPort {
    pub port: u16,
    pub network: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host_ip: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub host_port: u16,
}

/// `WorkspaceAgentListContainersResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentListContainersResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub devcontainers: Vec<WorkspaceAgentDevcontainer>,
    #[serde(deserialize_with = "crate::null_default")]
    pub containers: Vec<WorkspaceAgentContainer>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub warnings: Vec<String>,
}

string_enum! {
    /// Values of `WorkspaceAppHealth`.
    pub enum WorkspaceAppHealth {
        Disabled = "disabled",
        Initializing = "initializing",
        Healthy = "healthy",
        Unhealthy = "unhealthy",
    }
}

string_enum! {
    /// Values of `WorkspaceAppStatusState`.
    pub enum WorkspaceAppStatusState {
        Working = "working",
        Idle = "idle",
        Complete = "complete",
        Failure = "failure",
    }
}

string_enum! {
    /// Values of `WorkspaceAppSharingLevel`.
    pub enum WorkspaceAppSharingLevel {
        Owner = "owner",
        Authenticated = "authenticated",
        Organization = "organization",
        Public = "public",
    }
}

string_enum! {
    /// Values of `WorkspaceAppOpenIn`.
    pub enum WorkspaceAppOpenIn {
        SlimWindow = "slim-window",
        Tab = "tab",
    }
}

/// `WorkspaceApp` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceApp {
    pub id: Uuid,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    pub external: bool,
    pub slug: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    pub subdomain: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subdomain_name: String,
    pub sharing_level: WorkspaceAppSharingLevel,
    pub healthcheck: Healthcheck,
    pub health: WorkspaceAppHealth,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    pub hidden: bool,
    pub open_in: WorkspaceAppOpenIn,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tooltip: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub statuses: Vec<WorkspaceAppStatus>,
}

/// `Healthcheck` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Healthcheck {
    pub url: String,
    pub interval: i32,
    pub threshold: i32,
}

/// `WorkspaceAppStatus` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAppStatus {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub workspace_id: Uuid,
    pub agent_id: Uuid,
    pub app_id: Uuid,
    pub state: WorkspaceAppStatusState,
    pub message: String,
    pub uri: String,
    pub icon: String,
    pub needs_user_attention: bool,
}

string_enum! {
    /// Values of `WorkspaceAgentPortShareLevel`.
    pub enum WorkspaceAgentPortShareLevel {
        Owner = "owner",
        Authenticated = "authenticated",
        Organization = "organization",
        Public = "public",
    }
}
