//! Deployment: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

string_enum! {
    /// Values of `Entitlement`.
    pub enum Entitlement {
        Entitled = "entitled",
        GracePeriod = "grace_period",
        NotEntitled = "not_entitled",
    }
}

/// `Feature` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feature {
    pub entitlement: Entitlement,
    pub enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_period: Option<UsagePeriod>,
}

/// `UsagePeriod` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsagePeriod {
    pub issued_at: DateTime<Utc>,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

/// `Entitlements` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entitlements {
    #[serde(deserialize_with = "crate::null_default")]
    pub features: std::collections::BTreeMap<String, Feature>,
    #[serde(deserialize_with = "crate::null_default")]
    pub warnings: Vec<String>,
    #[serde(deserialize_with = "crate::null_default")]
    pub errors: Vec<String>,
    pub has_license: bool,
    pub trial: bool,
    pub require_telemetry: bool,
    pub refreshed_at: DateTime<Utc>,
}

/// `BuildInfoResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildInfoResponse {
    pub external_url: String,
    pub version: String,
    pub dashboard_url: String,
    pub telemetry: bool,
    pub workspace_proxy: bool,
    pub agent_api_version: String,
    pub provisioner_api_version: String,
    pub upgrade_message: String,
    pub deployment_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub webpush_public_key: String,
}

/// `AppearanceConfig` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppearanceConfig {
    pub application_name: String,
    pub logo_url: String,
    pub docs_url: String,
    pub service_banner: BannerConfig,
    #[serde(deserialize_with = "crate::null_default")]
    pub announcement_banners: Vec<BannerConfig>,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub support_links: Vec<LinkConfig>,
}

/// `LinkConfig` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkConfig {
    pub name: String,
    pub target: String,
    pub icon: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location: String,
}

/// `BannerConfig` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BannerConfig {
    pub enabled: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub background_color: String,
}

/// `UpdateAppearanceConfig` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateAppearanceConfig {
    pub application_name: String,
    pub logo_url: String,
    pub service_banner: BannerConfig,
    #[serde(deserialize_with = "crate::null_default")]
    pub announcement_banners: Vec<BannerConfig>,
}

/// `DeploymentStats` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeploymentStats {
    pub aggregated_from: DateTime<Utc>,
    pub collected_at: DateTime<Utc>,
    pub next_update_at: DateTime<Utc>,
    pub workspaces: WorkspaceDeploymentStats,
    pub session_count: SessionCountDeploymentStats,
}

/// `WorkspaceDeploymentStats` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceDeploymentStats {
    pub pending: i64,
    pub building: i64,
    pub running: i64,
    pub failed: i64,
    pub stopped: i64,
    pub connection_latency_ms: WorkspaceConnectionLatencyMS,
    pub rx_bytes: i64,
    pub tx_bytes: i64,
}

/// `WorkspaceConnectionLatencyMS` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceConnectionLatencyMS {
    #[serde(rename = "P50")]
    pub p50: f64,
    #[serde(rename = "P95")]
    pub p95: f64,
}

/// `SessionCountDeploymentStats` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionCountDeploymentStats {
    pub vscode: i64,
    pub ssh: i64,
    pub jetbrains: i64,
    pub reconnecting_pty: i64,
}

/// `SSHConfigResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SshConfigResponse {
    pub hostname_prefix: String,
    pub hostname_suffix: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub ssh_config_options: std::collections::BTreeMap<String, String>,
}

/// `AppHostResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppHostResponse {
    pub host: String,
}

/// `UpdateCheckResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateCheckResponse {
    pub current: bool,
    pub version: String,
    pub url: String,
}

/// `AvailableExperiments` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AvailableExperiments {
    #[serde(deserialize_with = "crate::null_default")]
    pub safe: Vec<String>,
}

/// `Region` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
    pub icon_url: String,
    pub healthy: bool,
    pub path_app_url: String,
    pub wildcard_hostname: String,
}
