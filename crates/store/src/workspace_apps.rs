//! Where an app of a workspace is, and who may use it: everything that the decision needs, in one
//! round trip.

use api_types::{CorsBehavior, WorkspaceAgent, WorkspaceApp};
use authz::{AccessList, Action, Object, Subject, authorize};
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::port_shares::PortShareRow;
use crate::{Result, StoreError};

/// A workspace with what its latest build made.
#[derive(Debug, Clone)]
pub struct AppPlace {
    /// The workspace as the decision sees it.
    pub workspace: Object,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Its name.
    pub workspace_name: String,
    /// Its owner.
    pub owner_id: Uuid,
    /// The owner's username.
    pub owner_name: String,
    /// Its organization.
    pub organization_id: Uuid,
    /// What the latest build does: `start`, `stop` or `delete`.
    pub transition: String,
    /// How that build's job stands.
    pub job_status: String,
    /// The template's rule on requests of other origins.
    pub cors_behavior: CorsBehavior,
    /// The template's bound on shares of ports.
    pub max_port_share_level: String,
    /// Agents of the latest build; only what tells their state.
    pub agents: Vec<WorkspaceAgent>,
    /// Apps of these agents.
    pub apps: Vec<AppOfAgent>,
    /// Shared ports.
    pub shares: Vec<PortShareRow>,
}

/// An app and the agent that it runs at.
#[derive(Debug, Clone, Deserialize)]
pub struct AppOfAgent {
    /// The agent.
    pub agent_id: Uuid,
    /// The app; only what is needed to reach it.
    #[serde(flatten)]
    pub app: WorkspaceApp,
}

const PLACE: &str = "SELECT w.id, w.name, w.owner_id, u.username, w.organization_id, w.dormant_at, \
        w.user_acl, w.group_acl, b.transition, j.job_status, t.cors_behavior, t.max_port_share_level, \
        (SELECT coalesce(json_agg(json_build_object('id', a.id, 'name', a.name, \
            'created_at', a.created_at, 'first_connected_at', a.first_connected_at, \
            'last_connected_at', a.last_connected_at, 'disconnected_at', a.disconnected_at, \
            'connection_timeout_seconds', a.connection_timeout_seconds, \
            'lifecycle_state', a.lifecycle_state) ORDER BY a.name), '[]') \
         FROM workspace_agents a JOIN workspace_resources r ON r.id = a.resource_id \
         WHERE r.job_id = b.job_id AND NOT a.deleted), \
        (SELECT coalesce(json_agg(json_build_object('agent_id', p.agent_id, 'id', p.id, \
            'slug', p.slug, 'display_name', p.display_name, 'url', p.url, \
            'sharing_level', p.sharing_level, 'external', p.external, \
            'health', p.health)), '[]') \
         FROM workspace_apps p JOIN workspace_agents a ON a.id = p.agent_id \
         JOIN workspace_resources r ON r.id = a.resource_id \
         WHERE r.job_id = b.job_id AND NOT a.deleted), \
        (SELECT coalesce(json_agg(row_to_json(s)), '[]') FROM workspace_agent_port_shares s \
         WHERE s.workspace_id = w.id) \
    FROM workspaces w JOIN users u ON u.id = w.owner_id \
    JOIN templates t ON t.id = w.template_id \
    JOIN workspace_builds b ON b.workspace_id = w.id AND b.build_number = w.latest_build_number \
    JOIN provisioner_jobs j ON j.id = b.job_id";

impl Conn {
    /// The undeleted workspace of an owner; both by name or id.
    pub async fn app_place_by_name(
        &self,
        who: &Subject,
        owner: &str,
        workspace: &str,
    ) -> Result<AppPlace> {
        let ids = [owner, workspace].map(|text| Uuid::parse_str(text).ok());
        let sql = format!(
            "{PLACE} WHERE NOT w.deleted AND NOT u.deleted \
             AND (lower(u.username) = lower($1) OR u.id = $2) \
             AND (lower(w.name) = lower($3) OR w.id = $4) \
             ORDER BY w.id = $4 LIMIT 1"
        );
        let row = self
            .query_opt(&sql, &[&owner, &ids[0], &workspace, &ids[1]])
            .await?;
        place(who, row)
    }

    /// The undeleted workspace whose latest build made an agent.
    pub async fn app_place_by_agent(&self, who: &Subject, agent: Uuid) -> Result<AppPlace> {
        let sql = format!(
            "{PLACE} WHERE NOT w.deleted AND EXISTS (SELECT 1 FROM workspace_agents a \
             JOIN workspace_resources r ON r.id = a.resource_id \
             WHERE a.id = $1 AND NOT a.deleted AND r.job_id = b.job_id)"
        );
        place(who, self.query_opt(&sql, &[&agent]).await?)
    }
}

fn place(who: &Subject, row: Option<Row>) -> Result<AppPlace> {
    let row = row.ok_or(StoreError::NotFound)?;
    let mut cols = Cols::new(&row);
    let workspace_id = cols.next()?;
    let workspace_name = cols.next()?;
    let owner_id = cols.next()?;
    let owner_name = cols.next()?;
    let organization_id = cols.next()?;
    let dormant_at = cols.next()?;
    let users: Json<AccessList> = cols.next()?;
    let groups: Json<AccessList> = cols.next()?;
    let workspace = crate::workspaces::object(
        workspace_id,
        owner_id,
        organization_id,
        dormant_at,
        &users.0,
        &groups.0,
    );
    authorize(who, Action::Read, &workspace).map_err(|_| StoreError::NotFound)?;
    Ok(AppPlace {
        workspace,
        workspace_id,
        workspace_name,
        owner_id,
        owner_name,
        organization_id,
        transition: cols.next()?,
        job_status: cols.next()?,
        cors_behavior: cols.text()?,
        max_port_share_level: cols.next()?,
        agents: cols.next::<Json<_>>()?.0,
        apps: cols.next::<Json<_>>()?.0,
        shares: cols.next::<Json<_>>()?.0,
    })
}
