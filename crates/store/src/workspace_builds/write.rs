//! Adding builds and noting what became of them.

use api_types::WorkspaceBuildParameter;
use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BuildRow, transition_action};
use crate::conn::Conn;
use crate::{StoreError, Tx};

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

impl Conn {
    /// What a build costs a day, for whoever runs jobs.
    pub async fn workspace_build_cost(&self, id: Uuid) -> Result<i32, StoreError> {
        let sql = "SELECT daily_cost FROM workspace_builds WHERE id = $1";
        Ok(self.query_one(sql, &[&id]).await?.try_get(0)?)
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
        // A build that is just being added has either taken the state over by now, or takes
        // this one.
        self.query(
            "SELECT 1 FROM workspaces
             WHERE id = (SELECT workspace_id FROM workspace_builds WHERE id = $1)
             FOR NO KEY UPDATE",
            &[&build],
        )
        .await?;
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
