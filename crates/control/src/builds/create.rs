//! Starting a build: checked and resolved first, then written in one transaction together
//! with its job and audit entry.

use api_types::{
    CreateWorkspaceBuildOnSuccessRequest, CreateWorkspaceBuildRequest, WorkspaceBuild,
    WorkspaceBuildParameter, WorkspaceTransition,
};
use authz::{Action, Object, ResourceType, Subject, System};
use base64::Engine as _;
use serde_json::json;
use store::provisioner_jobs::{JobEnd, NewJob};
use store::template_versions::VersionRow;
use store::workspace_builds::{Followup, NewBuild, NewState, build_input, transition_action};
use store::workspaces::WorkspaceRow;
use store::{AuditAction, AuditEntry, Conn, Held, StoreError, Tx};
use uuid::Uuid;

use super::checks::{self, Situation, Version};
use super::parameters::{Sources, carry, check_values, matching_preset};
use super::shown_waiting;
use crate::lifecycle::{Step, still_due};
use crate::workspaces::workspace_rest_in;
use crate::{Control, Error, Kind, Result};

/// Largest state that a caller may bring: 64 MiB, far above real ones.
pub(crate) const MAX_STATE: usize = 64 << 20;

/// How often a build is planned anew because another one came in between.
const ATTEMPTS: usize = 3;

/// What a build is made on: a workspace that exists, or one that is being created.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// The workspace.
    pub workspace_id: Uuid,
    /// Its name, for the audit log.
    pub workspace_name: String,
    /// Its owner.
    pub owner_id: Uuid,
    /// Name of its owner, for the audit log.
    pub owner_name: String,
    /// The workspace as the decision sees it.
    pub workspace: Object,
    /// Its template.
    pub template_id: Uuid,
    /// The template as the decision sees it.
    pub template: Object,
    /// The template's active version.
    pub active_version: Uuid,
    /// Starts must use the active version.
    pub require_active_version: bool,
    /// Parameters are resolved from what the import stored.
    pub classic_parameters: bool,
    /// The organization.
    pub organization_id: Uuid,
    /// The workspace is deleted.
    pub deleted: bool,
    /// The latest build.
    pub last: Option<WorkspaceBuild>,
}

impl Base {
    /// Of an existing workspace.
    pub(crate) fn of(row: &WorkspaceRow) -> Self {
        let w = &row.api;
        // A dormant workspace is woken by its start: the right is then that of one awake.
        Base {
            workspace_id: w.id,
            workspace_name: w.name.clone(),
            owner_id: w.owner_id,
            owner_name: w.owner_name.clone(),
            workspace: row.object(),
            template_id: w.template_id,
            template: row.template.clone(),
            active_version: w.template_active_version_id,
            require_active_version: w.template_require_active_version,
            classic_parameters: w.template_use_classic_parameter_flow,
            organization_id: w.organization_id,
            deleted: row.deleted,
            last: Some(w.latest_build.clone()),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Start, stop or delete.
    pub transition: WorkspaceTransition,
    /// The version; else that of the build before.
    pub version: Option<Uuid>,
    /// The preset.
    pub preset: Option<Uuid>,
    /// Parameter values.
    pub values: Vec<WorkspaceBuildParameter>,
    /// Why, as the build tells.
    pub reason: String,
    /// `debug` or empty.
    pub log_level: String,
    /// Leave alone what is there.
    pub orphan: bool,
    /// A state to start from.
    pub state: Option<Vec<u8>>,
    /// Nobody asked: this step of the workspace's own was found to be due at this time, and is
    /// taken only if it still is.
    pub due: Option<(Step, chrono::DateTime<chrono::Utc>)>,
}

/// A build that can be written.
#[derive(Debug)]
pub(crate) struct Plan {
    version: Uuid,
    preset: Option<Uuid>,
    values: Vec<WorkspaceBuildParameter>,
    job: NewJob,
    build: Uuid,
}

impl Control {
    /// Starts a build of a workspace.
    pub async fn workspace_build_create(
        &self,
        who: &Subject,
        workspace: Uuid,
        request: CreateWorkspaceBuildRequest,
    ) -> Result<WorkspaceBuild> {
        checks::check_on_success(&request)?;
        check_values(&request.rich_parameter_values)?;
        if let Some(next) = &request.on_success {
            check_values(&next.rich_parameter_values)?;
        }
        let wanted = wanted(&request)?;
        for _ in 0..ATTEMPTS {
            let row = self
                .store()
                .conn()
                .await?
                .workspace_read(who, workspace)
                .await?;
            if let Some(next) = &request.on_success {
                self.check_next(who, &row, next).await?;
            }
            let build = self
                .build_start(who, &row, &wanted, request.on_success.as_ref())
                .await?;
            let Some(id) = build else { continue };
            let conn = self.store().conn().await?;
            // Read as the system: a deletion that has ended took the rights along.
            let core = Subject::system(System::Core);
            return shown_waiting(&conn, conn.workspace_build_read(&core, id).await?).await;
        }
        Err(Error::conflict("A workspace build is already active."))
    }

    /// Checks what shall follow a build as if it were asked for now: it will run later with all
    /// rights of its asker, who may act with less.
    async fn check_next(
        &self,
        who: &Subject,
        row: &WorkspaceRow,
        next: &CreateWorkspaceBuildOnSuccessRequest,
    ) -> Result<()> {
        let mut base = Base::of(row);
        if row.api.dormant_at.is_some() {
            base.workspace = may_wake(who, row)?;
        }
        if !may_build(who, &base, &next.transition) {
            return Err(Error::forbidden(format!(
                "You do not have permission to {} this workspace.",
                next.transition
            )));
        }
        if let Some(version) = next.template_version_id.filter(|id| !id.is_nil()) {
            let conn = self.store().conn().await?;
            let version = self.build_version(&conn, who, version, false).await?;
            version.ok_or_else(|| Error::invalid("template version does not exist"))?;
        }
        Ok(())
    }

    /// Plans and writes a build of an existing workspace; `None` if another came first, or if
    /// it is not due any more.
    pub(crate) async fn build_start(
        &self,
        who: &Subject,
        row: &WorkspaceRow,
        wanted: &Wanted,
        then: Option<&CreateWorkspaceBuildOnSuccessRequest>,
    ) -> Result<Option<Uuid>> {
        let mut base = Base::of(row);
        let wake = row.api.dormant_at.is_some() && wanted.transition == WorkspaceTransition::Start;
        if wake {
            base.workspace = may_wake(who, row)?;
        }
        let plan = self.build_plan(who, &base, wanted).await?;
        let tx = self.store().begin(who).await?;
        if wake || wanted.due.is_some() {
            // The rest of the row may have changed while the build was planned.
            tx.hold(Held::Workspace, base.workspace_id).await?;
            let row = tx.workspace_read(who, base.workspace_id).await?;
            if wake {
                tx.workspace_update(who, &row, &awake(&row).api).await?;
            }
            if let Some((step, at)) = wanted.due {
                if !still_due(&tx, who, base.workspace_id, step, at).await? {
                    return Ok(None);
                }
                if step == Step::StopToRest {
                    workspace_rest_in(&tx, who, &row, at).await?;
                }
            }
        }
        if self
            .build_write(&tx, who, &base, &plan, wanted)
            .await?
            .is_none()
        {
            return Ok(None);
        }
        if let Some(then) = then {
            tx.workspace_build_followup_insert(&Followup {
                parent_build_id: plan.build,
                initiator_id: plan.job.initiator_id,
                transition: then.transition.to_string(),
                reason: wanted.reason.clone(),
                template_version_id: then.template_version_id.filter(|id| !id.is_nil()),
                template_version_preset_id: then
                    .template_version_preset_id
                    .filter(|id| !id.is_nil()),
                rich_parameter_values: then.rich_parameter_values.clone(),
                log_level: wanted.log_level.clone(),
            })
            .await?;
        }
        tx.commit().await?;
        if wanted.orphan {
            self.sessions_forget(Some(base.owner_id));
        }
        Ok(Some(plan.build))
    }

    /// Checks a build and finds its version, parameters and preset.
    pub(crate) async fn build_plan(
        &self,
        who: &Subject,
        base: &Base,
        wanted: &Wanted,
    ) -> Result<Plan> {
        let conn = self.store().conn().await?;
        let last_version = base
            .last
            .as_ref()
            .map_or(base.active_version, |b| b.template_version_id);
        let version_id = wanted.version.unwrap_or(last_version);
        let version = self
            .build_version(&conn, who, version_id, wanted.version.is_none())
            .await?;
        checks::check(&Situation {
            transition: &wanted.transition,
            deleted: base.deleted,
            orphan: wanted.orphan,
            has_state: wanted.state.is_some(),
            log_level: &wanted.log_level,
            may_build: may_build(who, base, &wanted.transition),
            may_edit_template: who.may(Action::Update, &base.template).is_ok(),
            may_read_config: who
                .may(Action::Read, &Object::new(ResourceType::DeploymentConfig))
                .is_ok(),
            debug_mode: self.settings().enable_terraform_debug_mode,
            version: version.as_ref().map(|v| Version {
                name: &v.api.name,
                of_template: v.api.template_id == Some(base.template_id),
                import: &v.api.job.status,
                import_error: &v.api.job.error,
                not_active_but_required: base.require_active_version
                    && version_id != base.active_version,
                archived: v.api.archived && wanted.version.is_some(),
            }),
            last_job: base.last.as_ref().map(|b| &b.job.status),
        })?;
        let version = version.ok_or_else(Error::not_found)?;
        let source = conn.template_version_source(version_id).await?;
        let parameters = conn.template_version_parameters(version_id).await?;
        let presets = conn.template_version_presets(version_id).await?;
        let last = match &base.last {
            Some(build) => conn.workspace_build_parameters(build.id).await?,
            None => Vec::new(),
        };
        drop(conn);
        let preset = match wanted.preset {
            None => None,
            Some(id) => Some(presets.iter().find(|p| p.id == id).ok_or_else(|| {
                Error::invalid("The preset is not one of the template version.")
                    .with_field("template_version_preset_id", "No such preset.")
            })?),
        };
        let from = Sources {
            last: &last,
            requested: &wanted.values,
            preset,
            first_build: base.last.is_none(),
        };
        let (values, tags) = if wanted.transition == WorkspaceTransition::Start {
            let resolved = self
                .parameters_resolve(&version, &source, base, &parameters, &from)
                .await?;
            (resolved.values, resolved.tags)
        } else {
            (carry(&parameters, &from), std::collections::BTreeMap::new())
        };
        let build = Uuid::new_v4();
        let initiator = who.user_id().unwrap_or(base.owner_id);
        let mut job_tags = source.job_tags;
        job_tags.extend(tags);
        Ok(Plan {
            version: version_id,
            preset: wanted.preset.or_else(|| matching_preset(&presets, &values)),
            values,
            build,
            job: NewJob {
                id: Uuid::new_v4(),
                organization_id: base.organization_id,
                initiator_id: initiator,
                provisioner: "terraform".to_owned(),
                kind: "workspace_build",
                file_id: source.file_id,
                tags: crate::templates::job_tags(base.owner_id, &job_tags),
                input: build_input(build, &wanted.log_level),
            },
        })
    }

    /// The version to build, as far as it may be seen. That of the build before may always be
    /// used: a workspace outlives its owner's right to the template.
    async fn build_version(
        &self,
        conn: &Conn,
        who: &Subject,
        id: Uuid,
        inherited: bool,
    ) -> Result<Option<VersionRow>> {
        let core = Subject::system(System::Core);
        let reader = if inherited { &core } else { who };
        match conn.template_version_read(reader, id).await {
            Ok(row) => Ok(Some(row)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a planned build, its job and its audit entry; `None` if another came first.
    pub(crate) async fn build_write(
        &self,
        tx: &Tx,
        who: &Subject,
        base: &Base,
        plan: &Plan,
        wanted: &Wanted,
    ) -> Result<Option<i32>> {
        let transition = wanted.transition.to_string();
        tx.provisioner_job_insert(&plan.job).await?;
        let build = NewBuild {
            id: plan.build,
            workspace_id: base.workspace_id,
            template_version_id: plan.version,
            template_version_preset_id: plan.preset,
            after_build: base.last.as_ref().map_or(0, |b| b.build_number),
            transition: transition.clone(),
            initiator_id: plan.job.initiator_id,
            reason: if wanted.reason.is_empty() {
                "initiator".to_owned()
            } else {
                wanted.reason.clone()
            },
            job_id: plan.job.id,
            state: match (&wanted.state, wanted.orphan) {
                (Some(state), _) => NewState::Given(state.clone()),
                (None, true) => NewState::None,
                (None, false) => NewState::Previous,
            },
            parameters: plan.values.clone(),
        };
        let Some(number) = tx
            .workspace_build_insert(who, &base.workspace, &build)
            .await?
        else {
            return Ok(None);
        };
        let action = match wanted.transition {
            WorkspaceTransition::Start => AuditAction::Start,
            WorkspaceTransition::Stop => AuditAction::Stop,
            _ => AuditAction::Delete,
        };
        tx.audit(
            AuditEntry::new(action, "workspace_build", plan.build, "")
                .org(base.organization_id)
                .by(plan.job.initiator_id)
                .status(201)
                .additional(json!({
                    "workspace_name": base.workspace_name,
                    "workspace_id": base.workspace_id,
                    "workspace_owner": base.owner_name,
                    "build_number": number.to_string(),
                    "build_reason": build.reason,
                })),
        )
        .await?;
        if wanted.orphan {
            // Nothing is to be run: the workspace is forgotten here and now.
            let core = Subject::system(System::Core);
            tx.provisioner_job_end(&core, plan.job.id, &JobEnd::default())
                .await?;
            tx.workspace_delete(&core, base.workspace_id).await?;
            // No daemon will take this build and end its owner's token.
            tx.workspace_token_replace(&core, base.owner_id, base.workspace_id, None)
                .await?;
        }
        Ok(Some(number))
    }
}

/// A workspace that is used again.
fn awake(row: &WorkspaceRow) -> WorkspaceRow {
    let mut awake = row.clone();
    awake.api.dormant_at = None;
    awake.api.deleting_at = None;
    awake.api.last_used_at = chrono::Utc::now();
    awake
}

/// Checks that `who` may wake a dormant workspace; answers it as it will be then.
fn may_wake(who: &Subject, row: &WorkspaceRow) -> Result<Object> {
    who.may(Action::Update, &row.object()).map_err(|_| {
        Error::forbidden("You do not have permission to wake this dormant workspace.")
    })?;
    Ok(awake(row).object())
}

fn may_build(who: &Subject, base: &Base, transition: &WorkspaceTransition) -> bool {
    who.may(transition_action(transition.as_str()), &base.workspace)
        .is_ok()
}

fn wanted(request: &CreateWorkspaceBuildRequest) -> Result<Wanted> {
    let state = if request.state.is_empty() {
        None
    } else {
        Some(decode_state(&request.state)?)
    };
    let reason = match (&request.transition, request.reason.as_str()) {
        (WorkspaceTransition::Delete, _) => "",
        (_, "task_resume") => {
            return Err(Error::field(
                "reason",
                "Validation failed for tag \"oneof\" with value: \"task_resume\"",
            ));
        }
        (
            _,
            reason @ (""
            | "dashboard"
            | "cli"
            | "ssh_connection"
            | "vscode_connection"
            | "jetbrains_connection"
            | "task_manual_pause"),
        ) => reason,
        (_, other) => {
            let shown: String = other.chars().take(64).collect();
            return Err(Error::field(
                "reason",
                format!("Validation failed for tag \"oneof\" with value: {shown:?}"),
            ));
        }
    };
    Ok(Wanted {
        transition: request.transition.clone(),
        version: request.template_version_id.filter(|id| !id.is_nil()),
        preset: request.template_version_preset_id.filter(|id| !id.is_nil()),
        values: request.rich_parameter_values.clone(),
        reason: reason.to_owned(),
        log_level: request.log_level.to_string(),
        orphan: request.orphan,
        state,
        due: None,
    })
}

/// State as it travels in JSON: base64.
pub(crate) fn decode_state(text: &str) -> Result<Vec<u8>> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|_| Error::field("state", "The state must be base64."))?;
    if bytes.len() > MAX_STATE {
        return Err(Error::new(
            Kind::TooLarge,
            format!("A state may have {} MiB at most.", MAX_STATE >> 20),
        ));
    }
    Ok(bytes)
}
