//! Builds of workspaces: each is a transition, a version, parameters and a job.
//! `write` adds and ends them, `followups` are what comes behind them.

mod followups;
mod timings;
mod write;

pub use followups::Followup;
pub use write::{NewBuild, NewState};

use api_types::{WorkspaceBuild, WorkspaceBuildParameter};
use authz::{AccessList, Action, Object, Subject, authorize};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::StoreError;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::provisioner_jobs::{job, job_columns};
use crate::workspace_resources::{resource_tree, resources};

/// Most builds that one list answers.
pub const MAX_BUILDS: i64 = 1000;

/// Columns of a build `b`, its version `bv` and its initiator `bi`; read by [`build`].
macro_rules! build_columns {
    () => {
        "b.id, b.created_at, b.updated_at, b.workspace_id, b.template_version_id, bv.name, \
         b.build_number, b.transition, b.initiator_id, coalesce(bi.username, ''), b.reason, \
         b.deadline, b.max_deadline, b.daily_cost, b.template_version_preset_id, \
         b.has_external_agent"
    };
}
pub(crate) use build_columns;

/// Joins to a build `b` its version, initiator, job and worker.
pub(crate) const BUILD_JOINS: &str = "JOIN template_versions bv ON bv.id = b.template_version_id \
    LEFT JOIN users bi ON bi.id = b.initiator_id \
    JOIN provisioner_jobs j ON j.id = b.job_id \
    LEFT JOIN provisioner_daemons d ON d.id = j.worker_id";

/// Status of a workspace by its build `b` and job `j`, as the rules tell it.
pub(crate) const STATUS: &str = "CASE j.job_status \
    WHEN 'running' THEN CASE b.transition WHEN 'start' THEN 'starting' WHEN 'stop' THEN 'stopping' \
        ELSE 'deleting' END \
    WHEN 'succeeded' THEN CASE b.transition WHEN 'start' THEN 'running' WHEN 'stop' THEN 'stopped' \
        ELSE 'deleted' END \
    ELSE j.job_status END";

/// Reads the columns of `build_columns!`.
pub(crate) fn build(cols: &mut Cols<'_>) -> Result<WorkspaceBuild, StoreError> {
    Ok(WorkspaceBuild {
        id: cols.next()?,
        created_at: cols.next()?,
        updated_at: cols.next()?,
        workspace_id: cols.next()?,
        template_version_id: cols.next()?,
        template_version_name: cols.next()?,
        build_number: cols.next()?,
        transition: cols.text()?,
        initiator_id: cols.next()?,
        initiator_name: cols.next()?,
        reason: cols.text()?,
        deadline: cols.next()?,
        max_deadline: cols.next()?,
        daily_cost: cols.next()?,
        template_version_preset_id: cols.next()?,
        has_external_agent: cols.next()?,
        ..WorkspaceBuild::default()
    })
}

/// A build: the API's shape, and what rules and rights depend on.
#[derive(Debug, Clone)]
pub struct BuildRow {
    /// The API's shape; the status is left to the rules.
    pub api: WorkspaceBuild,
    /// Its workspace as the decision sees it.
    pub workspace: Object,
    /// The template of its workspace as the decision sees it.
    pub template: Object,
    /// Whether those who do not own the template may cancel builds.
    pub allow_cancel: bool,
}

macro_rules! build_select {
    () => {
        concat!(
            "SELECT w.name, w.owner_id, wu.username, wu.avatar_url, w.organization_id, \
                    w.dormant_at, w.user_acl, w.group_acl, w.template_id, t.user_acl, t.group_acl, \
                    t.allow_user_cancel_workspace_jobs, ",
            build_columns!(), ", ", job_columns!(), ", ", resource_tree!(),
            " FROM workspace_builds b JOIN workspaces w ON w.id = b.workspace_id \
              JOIN users wu ON wu.id = w.owner_id JOIN templates t ON t.id = w.template_id \
              JOIN template_versions bv ON bv.id = b.template_version_id \
              LEFT JOIN users bi ON bi.id = b.initiator_id \
              JOIN provisioner_jobs j ON j.id = b.job_id \
              LEFT JOIN provisioner_daemons d ON d.id = j.worker_id "
        )
    };
}

fn read(row: &Row) -> Result<BuildRow, StoreError> {
    let mut cols = Cols::new(row);
    let name: String = cols.next()?;
    let owner: Uuid = cols.next()?;
    let username: String = cols.next()?;
    let avatar: String = cols.next()?;
    let organization: Uuid = cols.next()?;
    let dormant_at: Option<DateTime<Utc>> = cols.next()?;
    let user_acl = cols.next::<Json<AccessList>>()?.0;
    let group_acl = cols.next::<Json<AccessList>>()?.0;
    let template_id: Uuid = cols.next()?;
    let template_users = cols.next::<Json<AccessList>>()?.0;
    let template_groups = cols.next::<Json<AccessList>>()?.0;
    let allow_cancel = cols.next()?;
    let mut api = build(&mut cols)?;
    api.workspace_name = name;
    api.workspace_owner_id = owner;
    api.workspace_owner_name = username;
    api.workspace_owner_avatar_url = avatar;
    api.job = job(&mut cols)?;
    api.resources = resources(&mut cols)?;
    let workspace = crate::workspaces::object(
        api.workspace_id,
        owner,
        organization,
        dormant_at,
        &user_acl,
        &group_acl,
    );
    let template =
        crate::templates::object(template_id, organization, template_users, template_groups);
    Ok(BuildRow {
        api,
        workspace,
        template,
        allow_cancel,
    })
}

fn readable(who: &Subject, row: Option<Row>) -> Result<BuildRow, StoreError> {
    let build = read(&row.ok_or(StoreError::NotFound)?)?;
    authorize(who, Action::Read, &build.workspace).map_err(|_| StoreError::NotFound)?;
    Ok(build)
}

impl Conn {
    /// A build.
    pub async fn workspace_build_read(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<BuildRow, StoreError> {
        let sql = concat!(build_select!(), "WHERE b.id = $1");
        readable(who, self.query_opt(sql, &[&id]).await?)
    }

    /// A build of a workspace by its number.
    pub async fn workspace_build_read_by_number(
        &self,
        who: &Subject,
        workspace: Uuid,
        number: i32,
    ) -> Result<BuildRow, StoreError> {
        let sql = concat!(
            build_select!(),
            "WHERE b.workspace_id = $1 AND b.build_number = $2"
        );
        readable(who, self.query_opt(sql, &[&workspace, &number]).await?)
    }

    /// Builds of a workspace that `who` was allowed to read, newest first.
    pub async fn workspace_build_list(
        &self,
        workspace: Uuid,
        after_id: Option<Uuid>,
        since: Option<DateTime<Utc>>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<BuildRow>, StoreError> {
        let limit = if limit == 0 {
            MAX_BUILDS
        } else {
            limit.min(MAX_BUILDS)
        };
        let sql = concat!(
            build_select!(),
            "WHERE b.workspace_id = $1 \
               AND ($2::uuid IS NULL OR b.build_number > \
                    (SELECT build_number FROM workspace_builds WHERE id = $2 AND workspace_id = $1)) \
               AND ($3::timestamptz IS NULL OR b.created_at > $3) \
             ORDER BY b.build_number DESC LIMIT $4 OFFSET $5"
        );
        let rows = self
            .query(sql, &[&workspace, &after_id, &since, &limit, &offset])
            .await?;
        rows.iter().map(read).collect()
    }

    /// Parameters of a build that `who` was allowed to read.
    pub async fn workspace_build_parameters(
        &self,
        build: Uuid,
    ) -> Result<Vec<WorkspaceBuildParameter>, StoreError> {
        let rows = self
            .query(
                "SELECT name, value FROM workspace_build_parameters
                 WHERE workspace_build_id = $1 ORDER BY name",
                &[&build],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(WorkspaceBuildParameter {
                    name: row.try_get(0)?,
                    value: row.try_get(1)?,
                })
            })
            .collect()
    }

    /// The Terraform state of a build, for those who may edit its template.
    pub async fn workspace_build_state(
        &self,
        who: &Subject,
        build: &BuildRow,
    ) -> Result<Vec<u8>, StoreError> {
        authorize(who, Action::Update, &build.template)?;
        let row = self
            .query_one(
                "SELECT coalesce(provisioner_state, '') FROM workspace_builds WHERE id = $1",
                &[&build.api.id],
            )
            .await?;
        Ok(row.try_get(0)?)
    }
}

/// The action on a workspace that a transition needs.
pub fn transition_action(transition: &str) -> Action {
    match transition {
        "start" => Action::Start,
        "stop" => Action::Stop,
        _ => Action::Delete,
    }
}

/// JSON of a job's input for a build.
pub fn build_input(build: Uuid, log_level: &str) -> Value {
    serde_json::json!({ "workspace_build_id": build, "log_level": log_level })
}
