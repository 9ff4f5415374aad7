//! An agent as users see it, with what decides whether they may.

use api_types::WorkspaceAgent;
use authz::{AccessList, Action, Object, Subject, authorize};
use uuid::Uuid;

use super::session::UP;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::{Result, StoreError};

/// An agent and what it belongs to.
#[derive(Debug, Clone)]
pub struct AgentRow {
    /// The API's shape; what follows from the time is left to the rules.
    pub api: WorkspaceAgent,
    /// Its workspace as the decision sees it.
    pub workspace: Object,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// That workspace's name.
    pub workspace_name: String,
    /// Its owner.
    pub owner_id: Uuid,
    /// The owner's username.
    pub owner_name: String,
}

/// A workspace's agent, known by ids alone.
struct Place {
    job: Uuid,
    workspace: Object,
    workspace_id: Uuid,
    workspace_name: String,
    owner_id: Uuid,
    owner_name: String,
}

impl Conn {
    async fn agent_place(&self, who: &Subject, action: Action, agent: Uuid) -> Result<Place> {
        let sql = format!(
            "SELECT r.job_id, w.id, w.name, w.owner_id, u.username, w.organization_id, \
                 w.dormant_at, w.user_acl, w.group_acl \
             FROM {UP} WHERE a.id = $1 AND NOT a.deleted AND NOT w.deleted"
        );
        let row = self
            .query_opt(&sql, &[&agent])
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut cols = Cols::new(&row);
        let job = cols.next()?;
        let workspace_id = cols.next()?;
        let workspace_name = cols.next()?;
        let owner_id = cols.next()?;
        let owner_name = cols.next()?;
        let organization = cols.next()?;
        let dormant_at = cols.next()?;
        let users: tokio_postgres::types::Json<AccessList> = cols.next()?;
        let groups: tokio_postgres::types::Json<AccessList> = cols.next()?;
        let workspace = crate::workspaces::object(
            workspace_id,
            owner_id,
            organization,
            dormant_at,
            &users.0,
            &groups.0,
        );
        authorize(who, Action::Read, &workspace).map_err(|_| StoreError::NotFound)?;
        if action != Action::Read {
            authorize(who, action, &workspace)?;
        }
        Ok(Place {
            job,
            workspace,
            workspace_id,
            workspace_name,
            owner_id,
            owner_name,
        })
    }

    /// An agent that `who` may read.
    pub async fn workspace_agent_read(&self, who: &Subject, agent: Uuid) -> Result<AgentRow> {
        let place = self.agent_place(who, Action::Read, agent).await?;
        let api = self
            .workspace_resources(place.job)
            .await?
            .into_iter()
            .flat_map(|resource| resource.agents)
            .find(|candidate| candidate.id == agent)
            .ok_or(StoreError::NotFound)?;
        Ok(AgentRow {
            api,
            workspace: place.workspace,
            workspace_id: place.workspace_id,
            workspace_name: place.workspace_name,
            owner_id: place.owner_id,
            owner_name: place.owner_name,
        })
    }

    /// Checks that `who` may do `action` to the workspace of an agent; that workspace's id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if `who` may not even read it.
    pub async fn workspace_agent_check(
        &self,
        who: &Subject,
        action: Action,
        agent: Uuid,
    ) -> Result<Uuid> {
        Ok(self.agent_place(who, action, agent).await?.workspace_id)
    }
}
