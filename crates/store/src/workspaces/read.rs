//! Reading workspaces, each with its latest build, job, template, owner and resources.

use std::sync::LazyLock;

use api_types::{Workspace, WorkspaceAppStatus};
use authz::{AccessList, Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::StoreError;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::provisioner_jobs::{job, job_columns};
use crate::workspace_builds::{BUILD_JOINS, build, build_columns};
use crate::workspace_resources::{resource_tree, resources};

/// A workspace: the API's shape, and what rules and rights depend on.
#[derive(Debug, Clone)]
pub struct WorkspaceRow {
    /// The API's shape; status, health and what follows from the time are left to the rules.
    pub api: Workspace,
    /// Whether it is deleted.
    pub deleted: bool,
    /// Access by user.
    pub user_acl: AccessList,
    /// Access by group.
    pub group_acl: AccessList,
    /// Its template as the decision sees it.
    pub template: Object,
    /// Whether owners may choose when their workspaces stop.
    pub allow_user_autostop: bool,
    /// Whether owners may choose when their workspaces start.
    pub allow_user_autostart: bool,
    /// The template's time to live.
    pub template_ttl_ms: i64,
    /// After how long dormant ones are deleted.
    pub dormant_autodelete_ms: i64,
    /// Days on which autostart is not allowed.
    pub autostart_block_days: i16,
}

impl WorkspaceRow {
    /// The workspace as the decision sees it.
    pub fn object(&self) -> Object {
        object(
            self.api.id,
            self.api.owner_id,
            self.api.organization_id,
            self.api.dormant_at,
            &self.user_acl,
            &self.group_acl,
        )
    }
}

/// A workspace as the decision sees it: a dormant one is another type, without sharing.
pub(crate) fn object(
    id: Uuid,
    owner: Uuid,
    organization: Uuid,
    dormant_at: Option<DateTime<Utc>>,
    users: &AccessList,
    groups: &AccessList,
) -> Object {
    if dormant_at.is_some() {
        return Object::new(ResourceType::WorkspaceDormant)
            .id(id)
            .owner(owner)
            .org(organization);
    }
    Object::new(ResourceType::Workspace)
        .id(id)
        .owner(owner)
        .org(organization)
        .acl(users.clone(), groups.clone())
}

/// Columns of a workspace `w` with owner `wu`, organization `o`, template `t`, latest build
/// `b`, job `j`; read by [`read`].
pub(super) static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    [
        "w.id, w.created_at, w.updated_at, w.owner_id, wu.username, wu.avatar_url, \
         w.organization_id, o.name, w.template_id, t.name, t.display_name, t.icon, \
         t.allow_user_cancel_workspace_jobs, t.active_version_id, t.require_active_version, \
         t.use_classic_parameter_flow, w.name, w.autostart_schedule, w.ttl_ms, \
         w.last_used_at, w.deleting_at, w.dormant_at, w.automatic_updates, w.favorite, \
         w.next_start_at, w.deleted, w.user_acl, w.group_acl, t.user_acl, t.group_acl, \
         t.allow_user_autostop, t.allow_user_autostart, t.default_ttl_ms, \
         t.time_til_dormant_autodelete_ms, t.autostart_block_days",
        build_columns!(),
        job_columns!(),
        resource_tree!(),
        "(SELECT row_to_json(s) FROM (SELECT s.id, s.created_at, s.workspace_id, s.agent_id, \
            s.app_id, s.state, s.message, s.uri FROM workspace_app_statuses s \
            WHERE s.workspace_id = w.id ORDER BY s.created_at DESC LIMIT 1) s)",
    ]
    .join(", ")
});

/// Joins to a workspace `w` what its columns need beside [`BUILD_JOINS`].
pub(super) const JOINS: &str = "JOIN users wu ON wu.id = w.owner_id \
    JOIN organizations o ON o.id = w.organization_id \
    JOIN templates t ON t.id = w.template_id \
    JOIN workspace_builds b ON b.workspace_id = w.id \
         AND b.build_number = w.latest_build_number";

pub(super) fn read(cols: &mut Cols<'_>) -> Result<WorkspaceRow, StoreError> {
    let mut api = Workspace {
        id: cols.next()?,
        created_at: cols.next()?,
        updated_at: cols.next()?,
        owner_id: cols.next()?,
        owner_name: cols.next()?,
        owner_avatar_url: cols.next()?,
        organization_id: cols.next()?,
        organization_name: cols.next()?,
        template_id: cols.next()?,
        template_name: cols.next()?,
        template_display_name: cols.next()?,
        template_icon: cols.next()?,
        template_allow_user_cancel_workspace_jobs: cols.next()?,
        template_active_version_id: cols.next()?,
        template_require_active_version: cols.next()?,
        template_use_classic_parameter_flow: cols.next()?,
        name: cols.next()?,
        autostart_schedule: cols.next()?,
        ttl_ms: cols.next()?,
        last_used_at: cols.next()?,
        deleting_at: cols.next()?,
        dormant_at: cols.next()?,
        automatic_updates: cols.text()?,
        favorite: cols.next()?,
        next_start_at: cols.next()?,
        ..Workspace::default()
    };
    let deleted = cols.next()?;
    let user_acl = cols.next::<Json<AccessList>>()?.0;
    let group_acl = cols.next::<Json<AccessList>>()?.0;
    let template = crate::templates::object(
        api.template_id,
        api.organization_id,
        cols.next::<Json<AccessList>>()?.0,
        cols.next::<Json<AccessList>>()?.0,
    );
    let allow_user_autostop = cols.next()?;
    let allow_user_autostart = cols.next()?;
    let template_ttl_ms = cols.next()?;
    let dormant_autodelete_ms = cols.next()?;
    let autostart_block_days = cols.next()?;
    api.latest_build = build(cols)?;
    api.latest_build.workspace_name.clone_from(&api.name);
    api.latest_build.workspace_owner_id = api.owner_id;
    api.latest_build
        .workspace_owner_name
        .clone_from(&api.owner_name);
    api.latest_build
        .workspace_owner_avatar_url
        .clone_from(&api.owner_avatar_url);
    api.latest_build.job = job(cols)?;
    api.latest_build.resources = resources(cols)?;
    api.latest_app_status = cols
        .next::<Option<Json<WorkspaceAppStatus>>>()?
        .map(|s| s.0);
    Ok(WorkspaceRow {
        api,
        deleted,
        user_acl,
        group_acl,
        template,
        allow_user_autostop,
        allow_user_autostart,
        template_ttl_ms,
        dormant_autodelete_ms,
        autostart_block_days,
    })
}

fn readable(who: &Subject, row: Option<Row>) -> Result<WorkspaceRow, StoreError> {
    let row = row.ok_or(StoreError::NotFound)?;
    let workspace = read(&mut Cols::new(&row))?;
    authorize(who, Action::Read, &workspace.object()).map_err(|_| StoreError::NotFound)?;
    Ok(workspace)
}

impl Conn {
    /// A workspace, deleted ones included, in one round trip.
    pub async fn workspace_read(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<WorkspaceRow, StoreError> {
        readable(who, self.query_opt(&BY_ID, &[&id]).await?)
    }

    /// The undeleted workspace of an owner by its name; with `deleted`, if there is none,
    /// the one that was deleted last.
    pub async fn workspace_read_by_name(
        &self,
        who: &Subject,
        owner: Uuid,
        name: &str,
        deleted: bool,
    ) -> Result<WorkspaceRow, StoreError> {
        readable(
            who,
            self.query_opt(&BY_NAME, &[&owner, &name, &deleted]).await?,
        )
    }
}

impl Conn {
    /// What the workspaces of a user cost a day in an organization, and may cost: the sum of
    /// its groups' allowances. Without any allowance there is no limit, written −1.
    pub async fn workspace_quota(
        &self,
        who: &Subject,
        organization: Uuid,
        user: Uuid,
    ) -> Result<api_types::WorkspaceQuota, StoreError> {
        authorize(who, Action::Read, &crate::user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let row = self
            .query_one(
                "SELECT coalesce((SELECT sum(b.daily_cost) FROM workspaces w
                     JOIN workspace_builds b ON b.workspace_id = w.id
                          AND b.build_number = w.latest_build_number
                     WHERE w.owner_id = $2 AND w.organization_id = $1 AND NOT w.deleted), 0)::bigint,
                     coalesce((SELECT sum(g.quota_allowance) FROM groups g
                     WHERE g.organization_id = $1 AND (g.id = $1 OR EXISTS (SELECT 1
                         FROM group_members m WHERE m.group_id = g.id AND m.user_id = $2))),
                     0)::bigint",
                &[&organization, &user],
            )
            .await?;
        let budget: i64 = row.try_get(1)?;
        Ok(api_types::WorkspaceQuota {
            credits_consumed: row.try_get(0)?,
            budget: if budget > 0 { budget } else { -1 },
        })
    }
}

static BY_ID: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM workspaces w {JOINS} {BUILD_JOINS} WHERE w.id = $1",
        *COLUMNS
    )
});

static BY_NAME: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM workspaces w {JOINS} {BUILD_JOINS} \
         WHERE w.owner_id = $1 AND lower(w.name) = lower($2) AND ($3 OR NOT w.deleted) \
         ORDER BY w.deleted, w.updated_at DESC LIMIT 1",
        *COLUMNS
    )
});
