//! Ports of workspaces that others may reach, and app tokens.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::workspace_agents::WorkspaceAgentPortShareLevel;

string_enum! {
    /// Values of `WorkspaceAgentPortShareProtocol`.
    pub enum WorkspaceAgentPortShareProtocol {
        Http = "http",
        Https = "https",
    }
}

/// `WorkspaceAgentPortShare` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentPortShare {
    pub workspace_id: Uuid,
    pub agent_name: String,
    pub port: i32,
    pub share_level: WorkspaceAgentPortShareLevel,
    pub protocol: WorkspaceAgentPortShareProtocol,
}

/// `WorkspaceAgentPortShares` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceAgentPortShares {
    #[serde(deserialize_with = "crate::null_default")]
    pub shares: Vec<WorkspaceAgentPortShare>,
}

/// Body of `POST /workspaces/{workspace}/port-share`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpsertWorkspaceAgentPortShareRequest {
    pub agent_name: String,
    pub port: i32,
    pub share_level: WorkspaceAgentPortShareLevel,
    pub protocol: WorkspaceAgentPortShareProtocol,
}

/// Body of `DELETE /workspaces/{workspace}/port-share`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteWorkspaceAgentPortShareRequest {
    pub agent_name: String,
    pub port: i32,
}

/// Body of `POST /applications/reconnecting-pty-signed-token`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IssueReconnectingPtySignedTokenRequest {
    pub url: String,
    #[serde(rename = "agentID")]
    pub agent_id: Uuid,
}

/// `IssueReconnectingPTYSignedTokenResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IssueReconnectingPtySignedTokenResponse {
    pub signed_token: String,
}
