//! Changing workspaces.

use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{WORKSPACE_CHANGED, WorkspaceRow};
use crate::{StoreError, Tx};

/// A workspace to add; its first build belongs to the same transaction.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    /// Its id.
    pub id: Uuid,
    /// Who it belongs to.
    pub owner_id: Uuid,
    /// Its organization.
    pub organization_id: Uuid,
    /// Its template.
    pub template_id: Uuid,
    /// Its name, unique among the owner's.
    pub name: String,
    /// When it starts by itself.
    pub autostart_schedule: Option<String>,
    /// Time to live after a start.
    pub ttl_ms: Option<i64>,
    /// When it will start by itself next.
    pub next_start_at: Option<DateTime<Utc>>,
    /// `always` or `never`.
    pub automatic_updates: String,
}

impl Tx {
    /// Adds a workspace. The name taken is [`StoreError::Conflict`] on `workspaces_name`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if owner or template were deleted meanwhile.
    pub async fn workspace_insert(
        &self,
        who: &Subject,
        w: &NewWorkspace,
    ) -> Result<(), StoreError> {
        let object = Object::new(ResourceType::Workspace)
            .owner(w.owner_id)
            .org(w.organization_id);
        authorize(who, Action::Create, &object)?;
        self.execute(
            "INSERT INTO workspaces (id, created_at, updated_at, owner_id, organization_id,
                 template_id, name, autostart_schedule, ttl_ms, next_start_at, automatic_updates,
                 last_used_at)
             VALUES ($1, now(), now(), $2, $3, $4, $5, $6, $7, $8, $9, now())",
            &[
                &w.id,
                &w.owner_id,
                &w.organization_id,
                &w.template_id,
                &w.name,
                &w.autostart_schedule,
                &w.ttl_ms,
                &w.next_start_at,
                &w.automatic_updates,
            ],
        )
        .await?;
        // Owner and template cannot be deleted from here on; they may have been while this waited.
        let kept = "SELECT 1 FROM users u, templates t \
                    WHERE u.id = $1 AND NOT u.deleted AND t.id = $2 AND NOT t.deleted";
        self.query_one(kept, &[&w.owner_id, &w.template_id]).await?;
        Ok(())
    }

    /// Writes what owners may set of a workspace: name, schedule, time to live, updates,
    /// dormancy, favourite, and when it was last used.
    pub async fn workspace_update(
        &self,
        who: &Subject,
        before: &WorkspaceRow,
        after: &api_types::Workspace,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &before.object())?;
        let changed = self
            .execute(
                "UPDATE workspaces SET updated_at = now(), name = $2, autostart_schedule = $3,
                     ttl_ms = $4, next_start_at = $5, automatic_updates = $6, dormant_at = $7,
                     deleting_at = $8, favorite = $9, last_used_at = $10
                 WHERE id = $1 AND NOT deleted",
                &[
                    &after.id,
                    &after.name,
                    &after.autostart_schedule,
                    &after.ttl_ms,
                    &after.next_start_at,
                    &after.automatic_updates.as_str(),
                    &after.dormant_at,
                    &after.deleting_at,
                    &after.favorite,
                    &after.last_used_at,
                ],
            )
            .await?;
        if changed == 0 {
            return Err(StoreError::NotFound);
        }
        self.workspace_changed(after.id).await
    }

    /// Moves the deadline of a workspace's latest build; `None`: it has none any more.
    pub async fn workspace_set_deadline(
        &self,
        who: &Subject,
        row: &WorkspaceRow,
        deadline: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &row.object())?;
        self.execute(
            "UPDATE workspace_builds SET deadline = $2, updated_at = now() WHERE id = $1",
            &[&row.api.latest_build.id, &deadline],
        )
        .await?;
        self.workspace_changed(row.api.id).await
    }

    /// Marks a workspace as deleted, with all its agents.
    pub async fn workspace_delete(&self, who: &Subject, id: Uuid) -> Result<(), StoreError> {
        authorize(who, Action::Delete, &Object::new(ResourceType::Workspace))?;
        self.execute(
            "UPDATE workspaces SET deleted = true, updated_at = now(), favorite = false WHERE id = $1",
            &[&id],
        )
        .await?;
        self.execute(
            "UPDATE workspace_agents a SET deleted = true, updated_at = now()
             FROM workspace_resources r JOIN workspace_builds b ON b.job_id = r.job_id
             WHERE a.resource_id = r.id AND NOT a.deleted AND b.workspace_id = $1",
            &[&id],
        )
        .await?;
        self.workspace_changed(id).await
    }

    /// Announces that readers of a workspace should look again.
    pub async fn workspace_changed(&self, id: Uuid) -> Result<(), StoreError> {
        self.notify(WORKSPACE_CHANGED, &id.to_string()).await
    }
}

/// What a changed template means for its workspaces.
#[derive(Debug, Clone)]
pub struct TemplateChange {
    /// The template.
    pub template_id: Uuid,
    /// Owners may no longer choose when their workspaces stop: all get the template's time.
    pub reset_ttl: bool,
    /// The template's time to live, 0 for none.
    pub ttl_ms: i64,
    /// Dormant ones are deleted after so long from now on; 0 never.
    pub autodelete_ms: Option<i64>,
    /// Count all as used now.
    pub touch_last_used: bool,
    /// Count the dormant ones as dormant since now.
    pub touch_dormant: bool,
}

impl Tx {
    /// Applies a changed template to its workspaces.
    pub async fn workspaces_apply_template(
        &self,
        who: &Subject,
        template: &Object,
        change: &TemplateChange,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, template)?;
        if !(change.reset_ttl
            || change.autodelete_ms.is_some()
            || change.touch_last_used
            || change.touch_dormant)
        {
            return Ok(());
        }
        self.execute(
            "UPDATE workspaces SET
                 ttl_ms = CASE WHEN $2 THEN nullif($3::bigint, 0) ELSE ttl_ms END,
                 last_used_at = CASE WHEN $5 THEN now() ELSE last_used_at END,
                 dormant_at = CASE WHEN $6 AND dormant_at IS NOT NULL THEN now()
                                   ELSE dormant_at END,
                 deleting_at = CASE
                     WHEN dormant_at IS NULL OR $4::bigint IS NULL THEN deleting_at
                     WHEN $4::bigint = 0 THEN NULL
                     ELSE CASE WHEN $6 THEN now() ELSE dormant_at END
                          + make_interval(secs => ($4::bigint)::double precision / 1000) END
             WHERE template_id = $1 AND NOT deleted",
            &[
                &change.template_id,
                &change.reset_ttl,
                &change.ttl_ms,
                &change.autodelete_ms,
                &change.touch_last_used,
                &change.touch_dormant,
            ],
        )
        .await?;
        Ok(())
    }
}
