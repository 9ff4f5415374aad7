//! The workspace's agent that a chat works with: which one it is, how it is reached, and what is
//! said when it is not.

mod connect;
mod dial;
mod select;

pub use connect::{Binding, Connector, Link};
pub use dial::{DialError, dial_with_lazy_validation};
pub use select::{SelectError, select};

use chrono::{DateTime, Utc};
use store::chats::ChatAgentRow;
use uuid::Uuid;

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentStatus {
    /// It has not connected yet, and may still.
    Connecting,
    /// It is there.
    Connected,
    /// It was there.
    Disconnected,
    /// It never connected, and its time is over.
    Timeout,
}

impl AgentStatus {
    /// As the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            AgentStatus::Connecting => "connecting",
            AgentStatus::Connected => "connected",
            AgentStatus::Disconnected => "disconnected",
            AgentStatus::Timeout => "timeout",
        }
    }
}

/// What is known of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentFacts {
    /// The agent.
    pub id: Uuid,
    /// The build that it belongs to.
    pub build: Uuid,
    /// Its name.
    pub name: String,
    /// It is part of another agent (a container).
    pub is_child: bool,
    /// Its place among the agents.
    pub display_order: i32,
    /// Where it stands now.
    pub status: AgentStatus,
    /// It was connected at some time.
    pub was_connected: bool,
    /// Since when it is not connected any more.
    pub disconnected_at: Option<DateTime<Utc>>,
}

impl From<ChatAgentRow> for AgentFacts {
    fn from(row: ChatAgentRow) -> Self {
        AgentFacts {
            id: row.id,
            build: row.build,
            name: row.name,
            is_child: row.is_child,
            display_order: row.display_order,
            status: match row.status.as_str() {
                "connected" => AgentStatus::Connected,
                "disconnected" => AgentStatus::Disconnected,
                "timeout" => AgentStatus::Timeout,
                _ => AgentStatus::Connecting,
            },
            was_connected: row.was_connected,
            disconnected_at: row.disconnected_at,
        }
    }
}

/// Said when a chat without a workspace needs one.
pub const NO_WORKSPACE: &str = "This tool needs a workspace, and the chat has none. Create one with \
create_workspace, or ask the user to attach one.";
/// Said when the workspace has no agent: it is stopped, mostly.
pub const NO_AGENT: &str =
    "The workspace has no running agent. Start the workspace with start_workspace and try again.";
/// Said when an agent that somebody starts by hand never came.
pub const EXTERNAL_NEVER: &str = "The workspace is run outside of this platform, and its agent has \
never connected. The user has to start it there and have its agent connect; then try again. \
Starting or stopping the workspace here does not help.";
/// Said when an agent that somebody starts by hand is away.
pub const EXTERNAL_OFFLINE: &str = "The workspace is run outside of this platform, and its agent is \
offline. The user has to reconnect it on its host; then try again. Starting or stopping the \
workspace here does not help.";
/// Said when the dial took too long.
pub const DIAL_TIMEOUT: &str = "The workspace's agent could not be reached in time. It may be busy or \
still starting; trying again later may work.";
/// Said when the agent has been away for long.
pub const RECOVER: &str = "The workspace's agent has been disconnected for a while. Stop the workspace \
with stop_workspace and start it again with start_workspace.";
/// Said when the agent never connected in its time.
pub const NEVER_CONNECTED: &str = "The workspace's agent has never connected. Stop the workspace with \
stop_workspace and start it again with start_workspace.";

/// What is said of an external agent that cannot be reached.
pub fn external_text(agent: &AgentFacts) -> &'static str {
    if agent.was_connected {
        EXTERNAL_OFFLINE
    } else {
        EXTERNAL_NEVER
    }
}
