//! Provisioners: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `LogSource`.
    pub enum LogSource {
        ProvisionerDaemon = "provisioner_daemon",
        Provisioner = "provisioner",
    }
}

string_enum! {
    /// Values of `LogLevel`.
    pub enum LogLevel {
        Trace = "trace",
        Debug = "debug",
        Info = "info",
        Warn = "warn",
        Error = "error",
    }
}

string_enum! {
    /// Values of `ProvisionerDaemonStatus`.
    pub enum ProvisionerDaemonStatus {
        Offline = "offline",
        Idle = "idle",
        Busy = "busy",
    }
}

/// `ProvisionerDaemon` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerDaemon {
    pub id: Uuid,
    pub organization_id: Uuid,
    pub key_id: Uuid,
    pub created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
    pub name: String,
    pub version: String,
    pub api_version: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub provisioners: Vec<crate::template_versions::ProvisionerType>,
    #[serde(deserialize_with = "crate::null_default")]
    pub tags: std::collections::BTreeMap<String, String>,
    pub key_name: Option<String>,
    pub status: Option<ProvisionerDaemonStatus>,
    pub current_job: Option<ProvisionerDaemonJob>,
    pub previous_job: Option<ProvisionerDaemonJob>,
}

/// `ProvisionerDaemonJob` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerDaemonJob {
    pub id: Uuid,
    pub status: ProvisionerJobStatus,
    pub template_name: String,
    pub template_icon: String,
    pub template_display_name: String,
}

/// `MatchedProvisioners` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MatchedProvisioners {
    pub count: i64,
    pub available: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_recently_seen: Option<DateTime<Utc>>,
}

string_enum! {
    /// Values of `ProvisionerJobStatus`.
    pub enum ProvisionerJobStatus {
        Pending = "pending",
        Running = "running",
        Succeeded = "succeeded",
        Canceling = "canceling",
        Canceled = "canceled",
        Failed = "failed",
        Unknown = "unknown",
    }
}

/// `ProvisionerJobInput` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerJobInput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_version_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_build_id: Option<Uuid>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// `ProvisionerJobMetadata` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerJobMetadata {
    pub template_version_name: String,
    pub template_id: Uuid,
    pub template_name: String,
    pub template_display_name: String,
    pub template_icon: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace_name: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub workspace_build_transition: crate::workspace_builds::WorkspaceTransition,
}

string_enum! {
    /// Values of `ProvisionerJobType`.
    pub enum ProvisionerJobType {
        TemplateVersionImport = "template_version_import",
        WorkspaceBuild = "workspace_build",
        TemplateVersionDryRun = "template_version_dry_run",
    }
}

string_enum! {
    /// Values of `JobErrorCode`.
    pub enum JobErrorCode {
        REQUIREDTEMPLATEVARIABLES = "REQUIRED_TEMPLATE_VARIABLES",
        INSUFFICIENTQUOTA = "INSUFFICIENT_QUOTA",
    }
}

/// `ProvisionerJob` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerJob {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub error_code: JobErrorCode,
    pub status: ProvisionerJobStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<Uuid>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub worker_name: String,
    pub file_id: Uuid,
    #[serde(deserialize_with = "crate::null_default")]
    pub tags: std::collections::BTreeMap<String, String>,
    pub queue_position: i64,
    pub queue_size: i64,
    pub organization_id: Uuid,
    pub initiator_id: Uuid,
    pub input: ProvisionerJobInput,
    pub r#type: ProvisionerJobType,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub available_workers: Vec<Uuid>,
    pub metadata: ProvisionerJobMetadata,
    pub logs_overflowed: bool,
}

/// `ProvisionerJobLog` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerJobLog {
    pub id: i64,
    pub created_at: DateTime<Utc>,
    pub log_source: LogSource,
    pub log_level: LogLevel,
    pub stage: String,
    pub output: String,
}

/// `ProvisionerKey` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerKey {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub organization: Uuid,
    pub name: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub tags: std::collections::BTreeMap<String, String>,
}

/// `ProvisionerKeyDaemons` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionerKeyDaemons {
    pub key: ProvisionerKey,
    #[serde(deserialize_with = "crate::null_default")]
    pub daemons: Vec<ProvisionerDaemon>,
}

/// `CreateProvisionerKeyRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateProvisionerKeyRequest {
    pub name: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub tags: std::collections::BTreeMap<String, String>,
}

/// `CreateProvisionerKeyResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateProvisionerKeyResponse {
    pub key: String,
}
