//! Lifecycle and start-up, as agents report them.

use api_types::WorkspaceAgentLifecycle;
use authz::Subject;
use uuid::Uuid;

use super::may_report;
use super::session::UP;
use crate::conn::Conn;
use crate::workspaces::WORKSPACE_CHANGED;
use crate::{Result, StoreError, Time};

/// A state that an agent reached.
#[derive(Debug, Clone)]
pub struct LifecycleReport {
    /// The state.
    pub state: WorkspaceAgentLifecycle,
    /// When it was reached.
    pub changed_at: Time,
}

impl Conn {
    /// Notes a lifecycle state, with the times that follow from it, and announces the
    /// workspace.
    pub async fn agent_lifecycle_update(
        &self,
        who: &Subject,
        agent: Uuid,
        report: &LifecycleReport,
    ) -> Result<()> {
        use WorkspaceAgentLifecycle::{Ready, StartError, StartTimeout, Starting};
        may_report(who)?;
        let times = match report.state {
            Starting => "started_at = $3, ready_at = NULL,",
            Ready | StartTimeout | StartError => {
                "started_at = coalesce(started_at, $3), ready_at = $3,"
            }
            _ => "",
        };
        let sql = format!(
            "WITH changed AS (UPDATE workspace_agents SET {times} lifecycle_state = $2, \
                 updated_at = greatest(updated_at, $3) WHERE id = $1 RETURNING id) \
             SELECT pg_notify('{WORKSPACE_CHANGED}', w.id::text)::text \
             FROM {UP} JOIN changed ON changed.id = a.id"
        );
        self.query_opt(&sql, &[&agent, &report.state.as_str(), &report.changed_at])
            .await?
            .ok_or(StoreError::NotFound)?;
        Ok(())
    }

    /// Notes what an agent says of itself when it starts, and announces the workspace.
    pub async fn agent_startup_update(
        &self,
        who: &Subject,
        agent: Uuid,
        version: &str,
        api_version: &str,
        expanded_directory: &str,
        subsystems: &[&str],
    ) -> Result<()> {
        may_report(who)?;
        let sql = format!(
            "WITH changed AS (UPDATE workspace_agents SET version = $2, api_version = $3, \
                 expanded_directory = $4, subsystems = $5, updated_at = now() \
                 WHERE id = $1 RETURNING id) \
             SELECT pg_notify('{WORKSPACE_CHANGED}', w.id::text)::text \
             FROM {UP} JOIN changed ON changed.id = a.id"
        );
        let params: [crate::conn::SqlParam<'_>; 5] = [
            &agent,
            &version,
            &api_version,
            &expanded_directory,
            &subsystems,
        ];
        self.query_opt(&sql, &params)
            .await?
            .ok_or(StoreError::NotFound)?;
        Ok(())
    }
}
