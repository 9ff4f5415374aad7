//! Agents of workspaces as chats see them.

use authz::{Action, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::workspace_agents::EXTERNAL_AGENT;
use crate::{Result, StoreError, Time};

/// An agent.
#[derive(Debug, Clone)]
pub struct ChatAgentRow {
    /// The agent.
    pub id: Uuid,
    /// Its build.
    pub build: Uuid,
    /// Its name.
    pub name: String,
    /// It is part of another agent.
    pub is_child: bool,
    /// Its place.
    pub display_order: i32,
    /// `connecting`, `connected`, `disconnected` or `timeout`, now.
    pub status: String,
    /// It was connected at some time.
    pub was_connected: bool,
    /// Since when it is not.
    pub disconnected_at: Option<Time>,
    /// Somebody starts it by hand.
    pub is_external: bool,
    /// How far its start scripts are, as the API names it.
    pub lifecycle: String,
}

const SELECT: &str = "SELECT a.id, b.id, a.name, a.parent_id IS NOT NULL, a.display_order, \
    CASE WHEN a.first_connected_at IS NULL THEN \
        CASE WHEN a.connection_timeout_seconds > 0 AND now() - a.created_at > \
             make_interval(secs => a.connection_timeout_seconds) THEN 'timeout' ELSE 'connecting' END \
    WHEN a.disconnected_at >= a.last_connected_at \
        OR now() - a.last_connected_at > interval '30 seconds' THEN 'disconnected' \
    ELSE 'connected' END, a.first_connected_at IS NOT NULL, \
    greatest(a.disconnected_at, a.last_connected_at), r.type = $2, a.lifecycle_state \
    FROM workspace_agents a JOIN workspace_resources r ON r.id = a.resource_id \
    JOIN workspace_builds b ON b.job_id = r.job_id \
    JOIN workspaces w ON w.id = b.workspace_id AND NOT w.deleted";

fn read(row: &tokio_postgres::Row) -> Result<ChatAgentRow> {
    let status: String = row.try_get(5)?;
    let gone: Option<Time> = row.try_get(7)?;
    Ok(ChatAgentRow {
        id: row.try_get(0)?,
        build: row.try_get(1)?,
        name: row.try_get(2)?,
        is_child: row.try_get(3)?,
        display_order: row.try_get(4)?,
        disconnected_at: gone.filter(|_| status == "disconnected"),
        status,
        was_connected: row.try_get(6)?,
        is_external: row.try_get(8)?,
        lifecycle: row.try_get(9)?,
    })
}

impl Conn {
    /// The agents of a workspace's latest build.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if `who` may not read the workspace, or it is deleted.
    pub async fn chat_agents_latest(
        &self,
        who: &Subject,
        workspace: Uuid,
    ) -> Result<Vec<ChatAgentRow>> {
        if self.workspace_read(who, workspace).await?.deleted {
            return Err(StoreError::NotFound);
        }
        let sql = format!(
            "{SELECT} WHERE w.id = $1 AND b.build_number = w.latest_build_number AND NOT a.deleted"
        );
        let rows = self.query(&sql, &[&workspace, &EXTERNAL_AGENT]).await?;
        rows.iter().map(read).collect()
    }

    /// An agent.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if `who` may not read its workspace.
    pub async fn chat_agent(&self, who: &Subject, agent: Uuid) -> Result<ChatAgentRow> {
        self.workspace_agent_check(who, Action::Read, agent).await?;
        let sql = format!("{SELECT} WHERE a.id = $1 AND NOT a.deleted");
        let row = self.query_opt(&sql, &[&agent, &EXTERNAL_AGENT]).await?;
        read(&row.ok_or(StoreError::NotFound)?)
    }
}
