//! Agents of workspaces as a client sees them.

use api_types::{WorkspaceAgent, WorkspaceAgentListeningPortsResponse, WorkspaceAgentLog};
use serde::Deserialize;
use uuid::Uuid;

use crate::websocket::{ByteSocket, JsonSocket};
use crate::{Client, Error};

/// What a client needs to know before it builds a tunnel to an agent.
#[derive(Debug, Clone, Deserialize)]
pub struct AgentConnection {
    /// Relays, in the JSON form of `tailcfg.DERPMap`.
    pub derp_map: serde_json::Value,
    /// Reach relays by WebSocket only.
    #[serde(default)]
    pub derp_force_websockets: bool,
    /// No direct paths; all traffic goes by relay.
    #[serde(default)]
    pub disable_direct_connections: bool,
    /// Suffix of host names, without dot.
    #[serde(default)]
    pub hostname_suffix: String,
}

/// A terminal to open in a workspace, or to come back to.
#[derive(Debug, Clone, Copy)]
pub struct Pty<'a> {
    /// Which terminal; a new one where there is none of this id.
    pub reconnect: Uuid,
    /// Columns; 0 for the server's own.
    pub width: u16,
    /// Rows; 0 for the server's own.
    pub height: u16,
    /// Command; a shell when empty.
    pub command: &'a str,
    /// What keeps the terminal: `screen`, `buffered`, or empty for the best there is.
    pub backend: &'a str,
    /// Container to run in; empty for none.
    pub container: &'a str,
    /// As whom; empty for the container's own user.
    pub container_user: &'a str,
}

impl Client {
    /// One agent.
    pub async fn agent(&self, id: Uuid) -> Result<WorkspaceAgent, Error> {
        self.get(&format!("/api/v2/workspaceagents/{id}"))
            .decode()
            .await
    }

    /// Relays and flags for a tunnel to the agent.
    pub async fn agent_connection(&self, id: Uuid) -> Result<AgentConnection, Error> {
        self.get(&format!("/api/v2/workspaceagents/{id}/connection"))
            .decode()
            .await
    }

    /// Relays and flags that hold for every agent.
    pub async fn agent_connection_generic(&self) -> Result<AgentConnection, Error> {
        self.get("/api/v2/workspaceagents/connection")
            .decode()
            .await
    }

    /// The coordination service for a tunnel to the agent: a byte stream that
    /// carries yamux and DRPC. `version` is that of the tailnet protocol.
    pub async fn agent_coordinate(
        &self,
        id: Uuid,
        version: &str,
        resume_token: Option<&str>,
    ) -> Result<impl ByteSocket + use<>, Error> {
        let mut path = format!("/api/v2/workspaceagents/{id}/coordinate?version={version}");
        if let Some(token) = resume_token {
            path.push_str("&resume_token=");
            path.extend(url::form_urlencoded::byte_serialize(token.as_bytes()));
        }
        self.websocket_bytes(&path).await
    }

    /// A terminal of the agent: bytes that it shows come out; in go JSON objects
    /// with `data`, or `width` and `height`.
    pub async fn agent_pty(
        &self,
        id: Uuid,
        pty: &Pty<'_>,
    ) -> Result<impl ByteSocket + use<>, Error> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("reconnect", &pty.reconnect.to_string());
        for (name, size) in [("width", pty.width), ("height", pty.height)] {
            if size > 0 {
                query.append_pair(name, &size.to_string());
            }
        }
        for (name, text) in [
            ("command", pty.command),
            ("backend_type", pty.backend),
            ("container", pty.container),
            ("container_user", pty.container_user),
        ] {
            if !text.is_empty() {
                query.append_pair(name, text);
            }
        }
        self.websocket_bytes(&format!(
            "/api/v2/workspaceagents/{id}/pty?{}",
            query.finish()
        ))
        .await
    }

    /// Ports on which something listens in the workspace.
    pub async fn agent_listening_ports(
        &self,
        id: Uuid,
    ) -> Result<WorkspaceAgentListeningPortsResponse, Error> {
        self.get(&format!("/api/v2/workspaceagents/{id}/listening-ports"))
            .decode()
            .await
    }

    /// Log lines of the agent's scripts after line `after`, so far.
    pub async fn agent_logs(&self, id: Uuid, after: i64) -> Result<Vec<WorkspaceAgentLog>, Error> {
        self.get(&format!("/api/v2/workspaceagents/{id}/logs"))
            .query("after", after)
            .decode()
            .await
    }

    /// Log lines of the agent's scripts after line `after`, as they come.
    pub async fn agent_logs_follow(
        &self,
        id: Uuid,
        after: i64,
    ) -> Result<JsonSocket<Vec<WorkspaceAgentLog>>, Error> {
        self.websocket_json(&format!(
            "/api/v2/workspaceagents/{id}/logs?follow&no_compression&after={after}"
        ))
        .await
    }
}
