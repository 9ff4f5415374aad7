//! Builds of workspaces: each is a transition, a version, parameters and a job.

use api_types::{
    AgentConnectionTiming, AgentScriptTiming, ProvisionerTiming, WorkspaceBuild,
    WorkspaceBuildParameter, WorkspaceBuildTimings,
};
use authz::{AccessList, Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::provisioner_jobs::{job, job_columns};
use crate::workspace_resources::{resource_tree, resources};
use crate::{StoreError, Tx};

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

/// A build to add.
#[derive(Debug, Clone)]
pub struct NewBuild {
    /// Its id.
    pub id: Uuid,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// The version that it builds.
    pub template_version_id: Uuid,
    /// The preset that its parameters come from.
    pub template_version_preset_id: Option<Uuid>,
    /// The workspace's latest build as the caller knows it; its own number is one more.
    pub after_build: i32,
    /// `start`, `stop` or `delete`.
    pub transition: String,
    /// Who asked for it.
    pub initiator_id: Uuid,
    /// Why.
    pub reason: String,
    /// Its job, added before in the same transaction.
    pub job_id: Uuid,
    /// Where its Terraform state comes from.
    pub state: NewState,
    /// Its parameters.
    pub parameters: Vec<WorkspaceBuildParameter>,
}

/// Where the state of a new build comes from.
#[derive(Debug, Clone)]
pub enum NewState {
    /// From the build before it.
    Previous,
    /// From nowhere: what is still there is left alone.
    None,
    /// From the caller.
    Given(Vec<u8>),
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

    /// How long the steps of a build took, that `who` was allowed to read.
    pub async fn workspace_build_timings(
        &self,
        build: Uuid,
    ) -> Result<WorkspaceBuildTimings, StoreError> {
        let provisioner = self
            .query(
                "SELECT t.job_id, t.started_at, t.ended_at, t.stage, t.source, t.action, t.resource
                 FROM provisioner_job_timings t JOIN workspace_builds b ON b.job_id = t.job_id
                 WHERE b.id = $1 ORDER BY t.started_at",
                &[&build],
            )
            .await?;
        let scripts = self
            .query(
                "SELECT t.started_at, t.ended_at, t.exit_code, t.stage, t.status, s.display_name,
                        a.id::text, a.name
                 FROM workspace_builds b JOIN workspace_resources r ON r.job_id = b.job_id
                 JOIN workspace_agents a ON a.resource_id = r.id
                 JOIN workspace_agent_scripts s ON s.workspace_agent_id = a.id
                 JOIN workspace_agent_script_timings t ON t.script_id = s.id
                 WHERE b.id = $1 ORDER BY t.started_at",
                &[&build],
            )
            .await?;
        let agents = self
            .query(
                "SELECT a.created_at, a.first_connected_at, a.id::text, a.name
                 FROM workspace_builds b JOIN workspace_resources r ON r.job_id = b.job_id
                 JOIN workspace_agents a ON a.resource_id = r.id
                 WHERE b.id = $1 AND a.first_connected_at IS NOT NULL ORDER BY a.name",
                &[&build],
            )
            .await?;
        let mut timings = WorkspaceBuildTimings::default();
        for row in &provisioner {
            let mut cols = Cols::new(row);
            timings.provisioner_timings.push(ProvisionerTiming {
                job_id: cols.next()?,
                started_at: cols.next()?,
                ended_at: cols.next()?,
                stage: cols.text()?,
                source: cols.next()?,
                action: cols.next()?,
                resource: cols.next()?,
            });
        }
        for row in &scripts {
            let mut cols = Cols::new(row);
            timings.agent_script_timings.push(AgentScriptTiming {
                started_at: cols.next()?,
                ended_at: cols.next()?,
                exit_code: cols.next()?,
                stage: cols.text()?,
                status: cols.next()?,
                display_name: cols.next()?,
                workspace_agent_id: cols.next()?,
                workspace_agent_name: cols.next()?,
            });
        }
        for row in &agents {
            let mut cols = Cols::new(row);
            timings
                .agent_connection_timings
                .push(AgentConnectionTiming {
                    started_at: cols.next()?,
                    ended_at: cols.next()?,
                    stage: "connect".into(),
                    workspace_agent_id: cols.next()?,
                    workspace_agent_name: cols.next()?,
                });
        }
        Ok(timings)
    }
}

impl Conn {
    /// What a build costs a day, for whoever runs jobs.
    pub async fn workspace_build_cost(&self, id: Uuid) -> Result<i32, StoreError> {
        let sql = "SELECT daily_cost FROM workspace_builds WHERE id = $1";
        Ok(self.query_one(sql, &[&id]).await?.try_get(0)?)
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

impl Tx {
    /// Adds a build to a workspace that `who` may start, stop or delete. `None`: another
    /// build was added since the caller looked.
    pub async fn workspace_build_insert(
        &self,
        who: &Subject,
        workspace: &Object,
        build: &NewBuild,
    ) -> Result<Option<i32>, StoreError> {
        authorize(who, transition_action(&build.transition), workspace)?;
        let number = self
            .query_opt(
                "UPDATE workspaces SET latest_build_number = latest_build_number + 1
                 WHERE id = $1 AND latest_build_number = $2 RETURNING latest_build_number",
                &[&build.workspace_id, &build.after_build],
            )
            .await?;
        let Some(number) = number else {
            return Ok(None);
        };
        let number: i32 = number.try_get(0)?;
        let (given, keep): (Option<&[u8]>, bool) = match &build.state {
            NewState::Previous => (None, true),
            NewState::None => (None, false),
            NewState::Given(state) => (Some(state), false),
        };
        self.execute(
            "INSERT INTO workspace_builds (id, created_at, updated_at, workspace_id,
                 template_version_id, template_version_preset_id, build_number, transition,
                 initiator_id, reason, job_id, provisioner_state)
             VALUES ($1, now(), now(), $2, $3, $4, $5, $6, $7, $8, $9,
                     CASE WHEN $11 THEN (SELECT provisioner_state FROM workspace_builds
                                         WHERE workspace_id = $2 AND build_number = $5 - 1)
                          ELSE $10 END)",
            &[
                &build.id,
                &build.workspace_id,
                &build.template_version_id,
                &build.template_version_preset_id,
                &number,
                &build.transition,
                &build.initiator_id,
                &build.reason,
                &build.job_id,
                &given,
                &keep,
            ],
        )
        .await?;
        if !build.parameters.is_empty() {
            let names: Vec<&str> = build.parameters.iter().map(|p| p.name.as_str()).collect();
            let values: Vec<&str> = build.parameters.iter().map(|p| p.value.as_str()).collect();
            self.execute(
                "INSERT INTO workspace_build_parameters (workspace_build_id, name, value)
                 SELECT $1, * FROM unnest($2::text[], $3::text[])",
                &[&build.id, &names, &values],
            )
            .await?;
        }
        self.workspace_changed(build.workspace_id).await?;
        Ok(Some(number))
    }

    /// Replaces the Terraform state of a build.
    pub async fn workspace_build_set_state(
        &self,
        who: &Subject,
        build: &BuildRow,
        state: &[u8],
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &build.template)?;
        self.execute(
            "UPDATE workspace_builds SET provisioner_state = $2, updated_at = now() WHERE id = $1",
            &[&build.api.id, &state],
        )
        .await?;
        Ok(())
    }

    /// Writes the state that a run left, unless a later build has already started from the
    /// state before it. Answers whether it was written.
    pub async fn workspace_build_keep_state(
        &self,
        who: &Subject,
        build: Uuid,
        state: &[u8],
    ) -> Result<bool, StoreError> {
        authorize(who, Action::Update, &Object::new(ResourceType::Workspace))?;
        let changed = self
            .execute(
                "UPDATE workspace_builds b SET provisioner_state = $2, updated_at = now()
                 FROM workspaces w
                 WHERE b.id = $1 AND w.id = b.workspace_id
                   AND w.latest_build_number = b.build_number",
                &[&build, &state],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Writes what a build came to: deadlines, cost, whether agents are started by hand.
    pub async fn workspace_build_finish(
        &self,
        who: &Subject,
        build: Uuid,
        deadline: Option<DateTime<Utc>>,
        max_deadline: Option<DateTime<Utc>>,
        has_external_agent: bool,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &Object::new(ResourceType::Workspace))?;
        self.execute(
            "UPDATE workspace_builds SET deadline = $2, max_deadline = $3, has_external_agent = $4,
                 updated_at = now() WHERE id = $1",
            &[&build, &deadline, &max_deadline, &has_external_agent],
        )
        .await?;
        Ok(())
    }

    /// Writes what a build will cost a day.
    pub async fn workspace_build_set_cost(
        &self,
        who: &Subject,
        build: Uuid,
        cost: i32,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &Object::new(ResourceType::Workspace))?;
        self.execute(
            "UPDATE workspace_builds SET daily_cost = $2 WHERE id = $1",
            &[&build, &cost],
        )
        .await?;
        Ok(())
    }
}

/// What shall follow a build when it succeeds.
#[derive(Debug, Clone)]
pub struct Followup {
    /// The build it follows.
    pub parent_build_id: Uuid,
    /// Who asked for it.
    pub initiator_id: Uuid,
    /// `start`.
    pub transition: String,
    /// Why.
    pub reason: String,
    /// The version, if another than the parent's.
    pub template_version_id: Option<Uuid>,
    /// The preset.
    pub template_version_preset_id: Option<Uuid>,
    /// Parameters.
    pub rich_parameter_values: Vec<WorkspaceBuildParameter>,
    /// `debug` or empty.
    pub log_level: String,
}

impl Tx {
    /// Notes what shall follow a build of this transaction.
    pub async fn workspace_build_followup_insert(&self, next: &Followup) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO workspace_build_followups (parent_build_id, created_at, initiator_id,
                 transition, reason, template_version_id, template_version_preset_id,
                 rich_parameter_values, log_level)
             VALUES ($1, now(), $2, $3, $4, $5, $6, $7, $8)",
            &[
                &next.parent_build_id,
                &next.initiator_id,
                &next.transition,
                &next.reason,
                &next.template_version_id,
                &next.template_version_preset_id,
                &Json(&next.rich_parameter_values),
                &next.log_level,
            ],
        )
        .await?;
        Ok(())
    }

    /// Notes what became of a follow-up: the build it led to, or why it did not.
    pub async fn workspace_build_followup_end(
        &self,
        who: &Subject,
        parent: Uuid,
        child: Option<Uuid>,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::WorkspaceBuildOrchestration),
        )?;
        self.execute(
            "UPDATE workspace_build_followups SET child_build_id = $2, error = $3,
                 status = CASE WHEN $2::uuid IS NOT NULL THEN 'completed' ELSE 'failed' END
             WHERE parent_build_id = $1 AND status = 'pending'",
            &[&parent, &child, &error],
        )
        .await?;
        Ok(())
    }

    /// Forgets what should follow a build that did not succeed.
    pub async fn workspace_build_followup_cancel(
        &self,
        who: &Subject,
        parent: Uuid,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::WorkspaceBuildOrchestration),
        )?;
        self.execute(
            "UPDATE workspace_build_followups SET status = 'canceled'
             WHERE parent_build_id = $1 AND status = 'pending'",
            &[&parent],
        )
        .await?;
        Ok(())
    }
}

impl Conn {
    /// Follow-ups whose build has ended well: each with its workspace.
    pub async fn workspace_build_followups_due(
        &self,
        who: &Subject,
    ) -> Result<Vec<(Uuid, Followup)>, StoreError> {
        authorize(
            who,
            Action::Read,
            &Object::new(ResourceType::WorkspaceBuildOrchestration),
        )?;
        let rows = self
            .query(
                "SELECT b.workspace_id, f.parent_build_id, f.initiator_id, f.transition, f.reason,
                        f.template_version_id, f.template_version_preset_id,
                        f.rich_parameter_values, f.log_level
                 FROM workspace_build_followups f
                 JOIN workspace_builds b ON b.id = f.parent_build_id
                 JOIN provisioner_jobs j ON j.id = b.job_id
                 WHERE f.status = 'pending' AND j.job_status = 'succeeded'
                 ORDER BY f.created_at LIMIT 100",
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                Ok((
                    cols.next()?,
                    Followup {
                        parent_build_id: cols.next()?,
                        initiator_id: cols.next()?,
                        transition: cols.next()?,
                        reason: cols.next()?,
                        template_version_id: cols.next()?,
                        template_version_preset_id: cols.next()?,
                        rich_parameter_values: cols.next::<Json<_>>()?.0,
                        log_level: cols.next()?,
                    },
                ))
            })
            .collect()
    }
}

/// JSON of a job's input for a build.
pub fn build_input(build: Uuid, log_level: &str) -> Value {
    serde_json::json!({ "workspace_build_id": build, "log_level": log_level })
}
