//! Health and status of apps, as agents report them.

use authz::Subject;
use uuid::Uuid;

use super::may_report;
use super::session::UP;
use crate::conn::Conn;
use crate::workspaces::WORKSPACE_CHANGED;
use crate::{Result, StoreError};

/// A status to add.
#[derive(Debug, Clone)]
pub struct NewAppStatus<'a> {
    /// Name of the app in URLs.
    pub slug: &'a str,
    /// `working`, `idle`, `complete` or `failure`.
    pub state: &'static str,
    /// What is going on.
    pub message: &'a str,
    /// Where to see it.
    pub uri: &'a str,
}

impl Conn {
    /// Sets the health of apps and announces the workspace if one changed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if one is not an app of the agent with a health check;
    /// nothing is set then.
    pub async fn agent_app_health_update(
        &self,
        who: &Subject,
        agent: Uuid,
        updates: &[(Uuid, &'static str)],
    ) -> Result<()> {
        may_report(who)?;
        let ids: Vec<Uuid> = updates.iter().map(|(id, _)| *id).collect();
        let health: Vec<&str> = updates.iter().map(|(_, health)| *health).collect();
        let sql = format!(
            "WITH new AS (SELECT * FROM unnest($2::uuid[], $3::text[]) AS n (id, health)), \
             known AS (SELECT count(*) = (SELECT count(*) FROM new) AS all_known \
                 FROM new JOIN workspace_apps p ON p.id = new.id \
                 WHERE p.agent_id = $1 AND p.healthcheck_url <> ''), \
             changed AS (UPDATE workspace_apps p SET health = new.health FROM new, known \
                 WHERE known.all_known AND p.id = new.id AND p.agent_id = $1 \
                   AND p.health <> new.health RETURNING p.id) \
             SELECT known.all_known, (SELECT pg_notify('{WORKSPACE_CHANGED}', w.id::text)::text \
                 FROM {UP} WHERE a.id = $1 AND EXISTS (SELECT 1 FROM changed)) FROM known"
        );
        let row = self.query_one(&sql, &[&agent, &ids, &health]).await?;
        if row.try_get(0)? {
            Ok(())
        } else {
            Err(StoreError::NotFound)
        }
    }

    /// Adds a status of one of an agent's apps and announces the workspace.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the agent has no such app.
    pub async fn agent_app_status_insert(
        &self,
        who: &Subject,
        agent: Uuid,
        status: &NewAppStatus<'_>,
    ) -> Result<Option<String>> {
        may_report(who)?;
        let sql = format!(
            "WITH added AS (INSERT INTO workspace_app_statuses \
                 (id, created_at, workspace_id, agent_id, app_id, state, message, uri) \
                 SELECT gen_random_uuid(), now(), w.id, a.id, p.id, $3, $4, $5 \
                 FROM {UP} JOIN workspace_apps p ON p.agent_id = a.id \
                 WHERE a.id = $1 AND p.slug = $2 RETURNING workspace_id, app_id) \
             SELECT (SELECT s.state FROM workspace_app_statuses s WHERE s.app_id = added.app_id \
                     ORDER BY s.created_at DESC LIMIT 1), \
                 pg_notify('{WORKSPACE_CHANGED}', workspace_id::text)::text FROM added"
        );
        let params: [crate::conn::SqlParam<'_>; 5] = [
            &agent,
            &status.slug,
            &status.state,
            &status.message,
            &status.uri,
        ];
        let row = self.query_opt(&sql, &params).await?;
        Ok(row.ok_or(StoreError::NotFound)?.try_get(0)?)
    }
}
