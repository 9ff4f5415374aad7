//! Agents while they run: sign-in, connection, what they report, what is read of it.
//!
//! What a build made of an agent is written with the build's resources.

mod apps;
mod connection;
mod connection_log;
mod context;
mod devcontainers;
mod external;
mod logs;
mod manifest;
mod metadata;
mod monitors;
mod read;
mod report;
mod scripts;
mod session;
mod stats;

pub use apps::NewAppStatus;
pub use connection::{AgentPulse, Presence};
pub use connection_log::ConnectionEvent;
pub use context::{AgentContext, ContextResourceRow};
pub(crate) use context::{CONTEXT_RESOURCE, read_context};
pub use devcontainers::{NewSubAgent, SubAgentRow};
pub use external::{EXTERNAL_AGENT, ExternalAgentRow};
pub use logs::{AgentLogRange, LOGS_LIMIT, MAX_LOGS_READ, NewAgentLog, logs_channel};
pub use manifest::{
    ManifestApp, ManifestDevcontainer, ManifestMetadata, ManifestRow, ManifestScript,
};
pub use metadata::{MetadataValue, metadata_channel};
pub use monitors::MonitorRow;
pub use read::AgentRow;
pub use report::LifecycleReport;
pub use scripts::ScriptRun;
pub use session::AgentSession;
pub use stats::{AgentReport, NewAgentStats};

use authz::{Action, Object, ResourceType, Subject, authorize};

use crate::Result;

/// What an agent reports is written by those who may update agents.
pub(crate) fn may_report(who: &Subject) -> Result<()> {
    Ok(authorize(
        who,
        Action::UpdateAgent,
        &Object::new(ResourceType::Workspace),
    )?)
}

/// What is handed to an agent is read by those who may read the system.
fn may_serve(who: &Subject) -> Result<()> {
    Ok(authorize(
        who,
        Action::Read,
        &Object::new(ResourceType::System),
    )?)
}
