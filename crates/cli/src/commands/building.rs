//! What start, restart, update and `ssh` share: asking for a build.

use anyhow::{Context, Result};
use api_types::{
    AutomaticUpdates, CreateWorkspaceBuildReason, CreateWorkspaceBuildRequest, ProvisionerLogLevel,
    Workspace, WorkspaceBuild, WorkspaceStatus, WorkspaceTransition,
};
use clap::Args;
use http::StatusCode;

use crate::follow;
use crate::parameters::flags::Given;
use crate::parameters::{self, Action, Request};
use crate::session::Session;

/// Flags about the build itself.
#[derive(Debug, Clone, Default, Args)]
pub struct BuildFlags {
    /// Why the workspace is built: cli, `vscode_connection` or `jetbrains_connection`.
    #[arg(long, hide = true, value_name = "reason")]
    pub reason: Option<String>,

    /// Let the provisioner log everything.
    #[arg(long, hide = true)]
    pub provisioner_log_debug: bool,
}

impl BuildFlags {
    fn apply(&self, request: &mut CreateWorkspaceBuildRequest) {
        if self.provisioner_log_debug {
            request.log_level = ProvisionerLogLevel::Debug;
        }
        let reason = self
            .reason
            .as_deref()
            .filter(|r| !r.is_empty())
            .unwrap_or("cli");
        request.reason = CreateWorkspaceBuildReason::from(reason);
    }
}

/// A request for `transition`, with `flags`.
pub fn request(transition: WorkspaceTransition, flags: &BuildFlags) -> CreateWorkspaceBuildRequest {
    let mut request = CreateWorkspaceBuildRequest {
        transition,
        ..CreateWorkspaceBuildRequest::default()
    };
    flags.apply(&mut request);
    request
}

/// How to start a workspace.
pub struct Start<'a> {
    /// Parameter values from flags.
    pub given: &'a Given,
    /// About the build.
    pub flags: &'a BuildFlags,
    /// With the template's active version.
    pub update: bool,
    /// Take defaults without asking.
    pub yes: bool,
}

/// Asks for a start of `workspace`; gives the build, which has only begun.
pub async fn start(
    session: &Session,
    workspace: &Workspace,
    start: &Start<'_>,
) -> Result<WorkspaceBuild> {
    let request = prepare(session, workspace, start).await?;
    send(session, workspace, start, &request).await
}

/// Chooses the version of a start and all values that it needs, asking for those that are missing. What
/// is wrong with them shows here, before anything is done to `workspace`.
pub async fn prepare(
    session: &Session,
    workspace: &Workspace,
    start: &Start<'_>,
) -> Result<CreateWorkspaceBuildRequest> {
    let client = session.client()?;
    let newest = start.update
        || workspace.automatic_updates == AutomaticUpdates::Always
        || workspace.template_require_active_version;
    let current = workspace.latest_build.template_version_id;
    let version = if newest {
        workspace.template_active_version_id
    } else {
        current
    };
    let mut request = request(WorkspaceTransition::Start, start.flags);
    // The same version keeps its values by itself: nothing to ask or look up.
    if version != current || !start.given.is_empty() {
        let last = client
            .build_parameters(workspace.latest_build.id)
            .await
            .context("read the workspace's parameters")?;
        let action = if version == current && !start.update {
            Action::Start
        } else {
            Action::Update
        };
        request.template_version_id = Some(version);
        request.rich_parameter_values = parameters::resolve(
            session,
            &Request {
                action,
                version,
                owner: Some(workspace.owner_id),
                classic: workspace.template_use_classic_parameter_flow,
                given: start.given,
                preset: None,
                source: &[],
                last: &last,
                yes: start.yes,
            },
        )
        .await?;
    }
    Ok(request)
}

/// Asks for the start of `workspace` that was prepared for `start`.
pub async fn send(
    session: &Session,
    workspace: &Workspace,
    start: &Start<'_>,
    request: &CreateWorkspaceBuildRequest,
) -> Result<WorkspaceBuild> {
    let client = session.client()?;
    if workspace.dormant_at.is_some() {
        session.progress("Activating dormant workspace...\n")?;
        client
            .workspace_dormant(workspace.id, false)
            .await
            .context("wake the dormant workspace")?;
    }
    match client.build_create(workspace.id, request).await {
        // The template may insist on its active version.
        Err(error) if !start.update && error.status() == Some(StatusCode::FORBIDDEN) => {
            session.progress(
                "The workspace cannot be started with the template version of its last build. \
                 Trying again with the active version.\n",
            )?;
            let start = Start {
                update: true,
                ..*start
            };
            let context = "start the workspace with the active template version";
            let request = prepare(session, workspace, &start).await.context(context)?;
            client
                .build_create(workspace.id, &request)
                .await
                .context(context)
        }
        result => Ok(result?),
    }
}

/// Cleans up after a start that failed half-way, so that a new one begins
/// from nothing. Gives whether there was anything to do.
pub async fn clean_failed_start(session: &Session, workspace: &Workspace) -> Result<bool> {
    let build = &workspace.latest_build;
    if build.status != WorkspaceStatus::Failed || build.transition != WorkspaceTransition::Start {
        return Ok(false);
    }
    session.progress("The last start build failed. Cleaning up before retrying...\n")?;
    stop(session, workspace, &BuildFlags::default())
        .await
        .context("clean up after the failed start")?;
    Ok(true)
}

/// Stops `workspace` and follows the build to its end.
pub async fn stop(session: &Session, workspace: &Workspace, flags: &BuildFlags) -> Result<()> {
    let build = session
        .client()?
        .build_create(workspace.id, &request(WorkspaceTransition::Stop, flags))
        .await?;
    warn_without_provisioner(session, &build);
    follow::job::build(session, &build).await
}

/// Says so when nobody is there to run `build`.
pub fn warn_without_provisioner(session: &Session, build: &WorkspaceBuild) {
    let Some(matched) = &build.matched_provisioners else {
        return;
    };
    let waiting = build.job.status == api_types::ProvisionerJobStatus::Pending;
    if waiting && matched.available == 0 {
        let tags: Vec<String> = build
            .job
            .tags
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let why = if matched.count == 0 {
            "No provisioner daemon matches"
        } else {
            "No provisioner daemon is available for"
        };
        session.note(&session.style_err.warn(&format!(
            "{why} the tags of this build ({}). It waits until one comes.",
            tags.join(", ")
        )));
    }
}
