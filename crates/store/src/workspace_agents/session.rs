//! Who an agent's token stands for.

use api_types::Secret;
use authz::Subject;
use uuid::Uuid;

use super::may_serve;
use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError, Time};

record! {
    /// An agent that may act, and what it belongs to.
    pub struct AgentSession {
        /// The agent.
        pub agent_id: Uuid,
        /// Its name.
        pub agent_name: String,
        /// The agent that it runs under.
        pub parent_id: Option<Uuid>,
        /// The resource that it belongs to.
        pub resource_id: Uuid,
        /// When its build made it.
        pub agent_created_at: Time,
        /// `all` or `no_user_data`.
        pub api_key_scope: String,
        /// The build that made it.
        pub build_id: Uuid,
        /// That build's version.
        pub template_version_id: Uuid,
        /// Its workspace.
        pub workspace_id: Uuid,
        /// That workspace's name.
        pub workspace_name: String,
        /// That workspace's template.
        pub template_id: Uuid,
        /// Its organization.
        pub organization_id: Uuid,
        /// Its owner.
        pub owner_id: Uuid,
        /// The owner's username.
        pub owner_name: String,
        /// `active`, `dormant` or `suspended`.
        pub owner_status: String,
    }
}

/// Tables from an agent `a` up to its workspace `w` and owner `u`.
pub(super) const UP: &str = "workspace_agents a \
    JOIN workspace_resources r ON r.id = a.resource_id \
    JOIN workspace_builds b ON b.job_id = r.job_id \
    JOIN workspaces w ON w.id = b.workspace_id \
    JOIN users u ON u.id = w.owner_id";

/// Whether an agent's build is current: the latest, or the start that the running stop ends,
/// so that shutdown scripts can still report.
pub(super) const CURRENT: &str = "(b.build_number = w.latest_build_number OR ( \
    b.transition = 'start' AND b.build_number = w.latest_build_number - 1 AND EXISTS ( \
        SELECT 1 FROM workspace_builds l JOIN provisioner_jobs lj ON lj.id = l.job_id \
        WHERE l.workspace_id = w.id AND l.build_number = w.latest_build_number \
          AND l.transition = 'stop' AND lj.job_status IN ('pending', 'running'))))";

const COLUMNS: &str = "a.id AS agent_id, a.name AS agent_name, a.parent_id, a.resource_id, \
    a.created_at AS agent_created_at, a.api_key_scope, b.id AS build_id, b.template_version_id, \
    w.id AS workspace_id, w.name AS workspace_name, w.template_id, w.organization_id, w.owner_id, \
    u.username AS owner_name, u.status AS owner_status";

impl Conn {
    /// The agent that a token belongs to.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown token, and for an agent whose build is no
    /// longer current.
    pub async fn agent_session_read(&self, who: &Subject, token: Uuid) -> Result<AgentSession> {
        may_serve(who)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM {UP} \
             WHERE a.auth_token = $1 AND NOT a.deleted AND NOT w.deleted AND {CURRENT} LIMIT 1"
        );
        self.fetch_opt(&sql, &[&token])
            .await?
            .ok_or(StoreError::NotFound)
    }

    /// The owner's key for git, public and private; `None` before it is made.
    pub async fn agent_git_ssh_key(
        &self,
        who: &Subject,
        owner: Uuid,
    ) -> Result<Option<(String, Secret<String>)>> {
        may_serve(who)?;
        let sql = "SELECT public_key, private_key FROM git_ssh_keys WHERE user_id = $1";
        let Some(row) = self.query_opt(sql, &[&owner]).await? else {
            return Ok(None);
        };
        Ok(Some((row.try_get(0)?, Secret::new(row.try_get(1)?))))
    }

    /// The agents that sign in by the identity of a cloud instance: id, name and token of
    /// each whose build is current, latest first.
    pub async fn agents_by_instance(
        &self,
        who: &Subject,
        instance: &str,
    ) -> Result<Vec<(Uuid, String, Uuid)>> {
        may_serve(who)?;
        let sql = format!(
            "SELECT a.id, a.name, a.auth_token FROM {UP} \
             WHERE a.auth_instance_id = $1 AND NOT a.deleted AND NOT w.deleted \
               AND a.parent_id IS NULL AND {CURRENT} ORDER BY a.created_at DESC LIMIT 100"
        );
        let rows = self.query(&sql, &[&instance]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
            .collect()
    }
}
