//! Thresholds on memory and volumes, and whether they are crossed.

use authz::Subject;
use uuid::Uuid;

use super::{may_report, may_serve};
use crate::conn::Conn;
use crate::row::record;
use crate::{Result, Time};

record! {
    /// A threshold of an agent.
    pub struct MonitorRow {
        /// Path of the volume; empty for memory.
        pub path: String,
        /// Whether it is watched.
        pub enabled: bool,
        /// Percent.
        pub threshold: i32,
        /// `OK` or `NOK`.
        pub state: String,
        /// No alert before this time.
        pub debounced_until: Option<Time>,
    }
}

impl Conn {
    /// The thresholds of an agent.
    pub async fn agent_monitors(&self, who: &Subject, agent: Uuid) -> Result<Vec<MonitorRow>> {
        may_serve(who)?;
        self.fetch(
            "SELECT path, enabled, threshold, state, debounced_until \
             FROM workspace_agent_resource_monitors WHERE workspace_agent_id = $1 ORDER BY path",
            &[&agent],
        )
        .await
    }

    /// Notes the state of a threshold.
    pub async fn agent_monitor_update(
        &self,
        who: &Subject,
        agent: Uuid,
        path: &str,
        state: &str,
        debounced_until: Option<Time>,
    ) -> Result<()> {
        may_report(who)?;
        self.execute(
            "UPDATE workspace_agent_resource_monitors \
             SET state = $3, debounced_until = $4, updated_at = now() \
             WHERE workspace_agent_id = $1 AND path = $2",
            &[&agent, &path, &state, &debounced_until],
        )
        .await?;
        Ok(())
    }
}
