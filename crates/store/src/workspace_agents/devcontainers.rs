//! Agents that run under another one, in dev containers.

use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use super::{AgentSession, may_serve};
use crate::conn::Conn;
use crate::row::record;
use crate::workspace_resources::NewApp;
use crate::{Result, StoreError, Time, Tx};

record! {
    /// An agent under another one. Its token is for its parent alone.
    pub struct SubAgentRow {
        /// The agent.
        pub id: Uuid,
        /// Its name.
        pub name: String,
        /// What it signs in with.
        pub auth_token: Uuid,
    }
}

/// An agent to add under another one; the rest it takes from there.
#[derive(Debug, Clone)]
pub struct NewSubAgent<'a> {
    /// Its id.
    pub id: Uuid,
    /// What it signs in with.
    pub auth_token: Uuid,
    /// Its name.
    pub name: &'a str,
    /// Where sessions start.
    pub directory: &'a str,
    /// `amd64` and the like.
    pub architecture: &'a str,
    /// `linux` and the like.
    pub operating_system: &'a str,
    /// Built-in apps to show.
    pub display_apps: &'a [&'static str],
}

fn may(who: &Subject, action: Action) -> Result<()> {
    Ok(authorize(
        who,
        action,
        &Object::new(ResourceType::Workspace),
    )?)
}

impl Conn {
    /// The agents under an agent.
    pub async fn sub_agents(&self, who: &Subject, parent: Uuid) -> Result<Vec<SubAgentRow>> {
        may_serve(who)?;
        self.fetch(
            "SELECT id, name, auth_token FROM workspace_agents \
             WHERE parent_id = $1 AND NOT deleted ORDER BY name",
            &[&parent],
        )
        .await
    }
}

impl Tx {
    /// The most open level at which the template lets apps be shared.
    pub async fn sub_agent_share_limit(
        &self,
        who: &Subject,
        parent: &AgentSession,
    ) -> Result<String> {
        may_serve(who)?;
        let sql = "SELECT max_port_share_level FROM templates WHERE id = $1";
        Ok(self
            .query_one(sql, &[&parent.template_id])
            .await?
            .try_get(0)?)
    }

    /// Adds an agent under another one.
    pub async fn sub_agent_insert(
        &self,
        who: &Subject,
        parent: &AgentSession,
        agent: &NewSubAgent<'_>,
        now: Time,
    ) -> Result<()> {
        may(who, Action::CreateAgent)?;
        let sql = "INSERT INTO workspace_agents (id, parent_id, resource_id, created_at, \
                 updated_at, name, auth_token, architecture, operating_system, directory, \
                 connection_timeout_seconds, troubleshooting_url, display_apps, api_key_scope) \
             SELECT $1, p.id, p.resource_id, $2, $2, $3, $4, $5, $6, $7, \
                 p.connection_timeout_seconds, p.troubleshooting_url, $8, p.api_key_scope \
             FROM workspace_agents p WHERE p.id = $9 AND NOT p.deleted";
        let params: [crate::conn::SqlParam<'_>; 9] = [
            &agent.id,
            &now,
            &agent.name,
            &agent.auth_token,
            &agent.architecture,
            &agent.operating_system,
            &agent.directory,
            &agent.display_apps,
            &parent.agent_id,
        ];
        if self.execute(sql, &params).await? == 0 {
            return Err(StoreError::NotFound);
        }
        self.workspace_changed(parent.workspace_id).await
    }

    /// Adds an app to an agent under another one.
    pub async fn sub_agent_app_insert(
        &self,
        who: &Subject,
        agent: Uuid,
        app: &NewApp,
        now: Time,
    ) -> Result<()> {
        may(who, Action::CreateAgent)?;
        self.insert_app(agent, app, now).await
    }

    /// Changes what may change of an agent that the template declared under `parent`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it does not run under that agent.
    pub async fn sub_agent_update(
        &self,
        who: &Subject,
        parent: &AgentSession,
        id: Uuid,
        directory: &str,
        display_apps: &[&'static str],
    ) -> Result<SubAgentRow> {
        may(who, Action::UpdateAgent)?;
        let row = self
            .fetch_opt(
                "UPDATE workspace_agents SET display_apps = $3, updated_at = now(), \
                     directory = CASE WHEN $4 = '' THEN directory ELSE $4 END \
                 WHERE id = $1 AND parent_id = $2 AND NOT deleted \
                 RETURNING id, name, auth_token",
                &[&id, &parent.agent_id, &display_apps, &directory],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        self.workspace_changed(parent.workspace_id).await?;
        Ok(row)
    }

    /// Retires an agent under another one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it does not run under that agent.
    pub async fn sub_agent_delete(
        &self,
        who: &Subject,
        parent: &AgentSession,
        id: Uuid,
    ) -> Result<()> {
        may(who, Action::DeleteAgent)?;
        let count = self
            .execute(
                "UPDATE workspace_agents SET deleted = true, updated_at = now() \
                 WHERE id = $1 AND parent_id = $2 AND NOT deleted",
                &[&id, &parent.agent_id],
            )
            .await?;
        if count == 0 {
            return Err(StoreError::NotFound);
        }
        self.workspace_changed(parent.workspace_id).await
    }
}
