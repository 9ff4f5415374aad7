//! From a name to a workspace that runs and an agent that can be reached:
//! starts what is stopped, waits for what is under way.

use anyhow::{Result, bail};
use api_types::{
    ProvisionerJobStatus, Workspace, WorkspaceAgent, WorkspaceStatus, WorkspaceTransition,
};
use http::StatusCode;

use crate::commands::building::{self, BuildFlags, Start};
use crate::commands::lookup;
use crate::failure::Advice;
use crate::follow;
use crate::follow::agent::Wait;
use crate::parameters::flags::Given;
use crate::session::Session;
use client::Target;

/// Builds to follow one after the other before giving up: a stop that is under
/// way, somebody else's start, our own.
const MAX_BUILDS: usize = 5;

/// How patient to be.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Start a workspace that is stopped.
    pub autostart: bool,
    /// Wait for startup scripts.
    pub wait: Wait,
}

impl Patience {
    /// Starts nothing, and does not wait for scripts.
    pub fn stay() -> Self {
        Self {
            autostart: false,
            wait: Wait::No,
        }
    }
}

/// Makes `workspace` run and its agent reachable; gives both as they are then.
pub async fn make_ready(
    session: &Session,
    workspace: Workspace,
    target: &Target,
    patience: Patience,
) -> Result<(Workspace, WorkspaceAgent)> {
    let workspace = make_run(session, workspace, patience.autostart).await?;
    if workspace.outdated && session.interactive() {
        session.note(&session.style_err.warn(&format!(
            "This workspace is outdated: 'coder update {}' brings it to the template's active version.",
            workspace.name
        )));
    }
    let agent = lookup::agent(&workspace, target.agent.as_deref())?.clone();
    let agent = follow::agent::until_ready(session, &workspace, agent, patience.wait).await?;
    Ok((workspace, agent))
}

/// Makes `workspace` run; gives it as it is then.
pub async fn make_run(
    session: &Session,
    mut workspace: Workspace,
    autostart: bool,
) -> Result<Workspace> {
    let client = session.client()?;
    for _ in 0..MAX_BUILDS {
        let build = &workspace.latest_build;
        let active = matches!(
            build.job.status,
            ProvisionerJobStatus::Pending
                | ProvisionerJobStatus::Running
                | ProvisionerJobStatus::Canceling
        );
        match (&build.transition, &build.status) {
            (_, WorkspaceStatus::Running) => return Ok(workspace),
            (WorkspaceTransition::Delete, _) => {
                bail!(
                    "workspace {:?} is being deleted or has been",
                    workspace.name
                );
            }
            // What ends well or not shows in the next round.
            (transition, _) if active => {
                let starts = *transition == WorkspaceTransition::Start;
                let followed = follow::job::to_the_end(
                    session,
                    follow::job::JobOf::Build(build.id),
                    &build.job,
                )
                .await?;
                if starts && followed.status == ProvisionerJobStatus::Failed {
                    bail!("the workspace could not start: {}", followed.error);
                }
            }
            _ if !autostart => {
                return Err(Advice::error(
                    format!("workspace {:?} is {}", workspace.name, build.status),
                    format!(
                        "Start it with 'coder start {}', or leave out --disable-autostart.",
                        workspace.name
                    ),
                ));
            }
            _ => start(session, &workspace).await?,
        }
        workspace = client.workspace(workspace.id).await?;
    }
    bail!(
        "workspace {:?} does not come to rest: it is built again and again",
        workspace.name
    )
}

async fn start(session: &Session, workspace: &Workspace) -> Result<()> {
    session.note(&format!(
        "Workspace {:?} is {}. Starting it...",
        workspace.name, workspace.latest_build.status
    ));
    building::clean_failed_start(session, workspace).await?;
    let flags = BuildFlags {
        reason: Some("ssh_connection".to_owned()),
        provisioner_log_debug: false,
    };
    let start = Start {
        given: &Given::default(),
        flags: &flags,
        update: false,
        yes: true,
    };
    match building::start(session, workspace, &start).await {
        Ok(build) => {
            building::warn_without_provisioner(session, &build);
            follow::job::build(session, &build).await
        }
        // Somebody else was quicker: follow theirs.
        Err(e)
            if e.downcast_ref::<client::Error>()
                .and_then(client::Error::status)
                == Some(StatusCode::CONFLICT) =>
        {
            Ok(())
        }
        Err(e) => Err(e),
    }
}
