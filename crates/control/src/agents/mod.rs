//! What agents ask and report, and what users see of them.
//!
//! The functions take and give the messages of the agent protocol
//! ([`rpc::proto::agent`]); an [`AgentSession`] says for which agent.

mod apps;
mod connections;
mod context;
mod convert;
mod external;
mod logs;
mod manifest;
mod metadata;
mod monitors;
mod purge;
mod read;
mod report;
mod sign_in;
mod stats;
mod sub_agents;

pub use logs::{EXTERNAL_LOG_SOURCE, LogsOutcome};
pub use manifest::ManifestSettings;
pub use read::AgentLogs;
pub use store::workspace_agents::{
    AgentLogRange, AgentPulse, AgentSession, MAX_LOGS_READ, NewAgentLog, Presence, logs_channel,
    metadata_channel,
};

use authz::{Subject, System};

use crate::{Error, Kind};

/// As which agents' reports are written.
pub(crate) fn agent_subject() -> Subject {
    Subject::system(System::Agent)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, message)
}
