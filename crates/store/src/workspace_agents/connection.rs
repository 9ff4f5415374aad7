//! Whether an agent is connected, as told by the server that holds its connection.

use authz::Subject;
use uuid::Uuid;

use super::may_report;
use super::session::{CURRENT, UP};
use crate::conn::Conn;
use crate::workspaces::WORKSPACE_CHANGED;
use crate::{Result, StoreError, Time};

/// What is to be noted of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It was made.
    Connected,
    /// It lives.
    Alive,
    /// It ended.
    Gone,
}

/// What a server learns when it notes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentPulse {
    /// The agent still belongs to the current build of its workspace.
    pub is_current: bool,
}

impl Conn {
    /// Notes a connection of an agent to the server `replica`, and announces the workspace
    /// when this changes the agent's status. The end of a connection counts only while no
    /// other server has the agent.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the agent was deleted.
    pub async fn agent_presence(
        &self,
        who: &Subject,
        agent: Uuid,
        replica: Uuid,
        presence: Presence,
        now: Time,
    ) -> Result<AgentPulse> {
        may_report(who)?;
        let (set, guard, announce) = match presence {
            Presence::Connected => (
                "first_connected_at = coalesce(first_connected_at, $3), \
                 last_connected_at = $3, last_connected_replica_id = $2",
                "TRUE",
                "TRUE",
            ),
            // Silence made it look disconnected to readers: they should look again.
            Presence::Alive => (
                "last_connected_at = $3, last_connected_replica_id = $2",
                "TRUE",
                "old.disconnected_at >= old.last_connected_at \
                 OR old.last_connected_at < $3 - interval '30 seconds'",
            ),
            Presence::Gone => (
                "disconnected_at = $3",
                "last_connected_replica_id = $2",
                "changed.id IS NOT NULL",
            ),
        };
        let sql = format!(
            "WITH old AS MATERIALIZED ( \
                 SELECT id, last_connected_at, disconnected_at FROM workspace_agents WHERE id = $1), \
             changed AS ( \
                 UPDATE workspace_agents SET {set}, updated_at = $3 \
                 WHERE id = $1 AND {guard} AND $2::uuid IS NOT NULL RETURNING id) \
             SELECT {CURRENT} AND NOT a.deleted AND NOT w.deleted, \
                    CASE WHEN {announce} \
                         THEN pg_notify('{WORKSPACE_CHANGED}', w.id::text) END::text \
             FROM {UP} JOIN old ON old.id = a.id LEFT JOIN changed ON changed.id = a.id \
             WHERE a.id = $1"
        );
        let row = self
            .query_opt(&sql, &[&agent, &replica, &now])
            .await?
            .ok_or(StoreError::NotFound)?;
        Ok(AgentPulse {
            is_current: row.try_get(0)?,
        })
    }
}
