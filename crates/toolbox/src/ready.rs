//! From a workspace that may be stopped to an agent that can be reached. Nobody is there to be asked or
//! shown anything, and whoever called must hear in the end.

use std::time::Duration;

use anyhow::{Result, bail};
use api_types::{
    CreateWorkspaceBuildRequest, ProvisionerJobStatus, Workspace, WorkspaceAgent,
    WorkspaceAgentLifecycle, WorkspaceAgentStatus, WorkspaceTransition,
};
use client::Client;
use futures::{Stream, StreamExt as _, stream};
use http::StatusCode;
use tokio::time::Instant;

use crate::find;

/// Builds that are awaited one after the other: a stop that is under way, somebody's start, our own.
const MAX_BUILDS: usize = 5;
/// How often an agent that comes up is looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long an agent may take, with its startup scripts, and a build say nothing.
const PATIENCE: Duration = Duration::from_mins(10);

/// Makes a workspace run, if that is wanted; gives it as it is then.
pub(crate) async fn running(
    client: &Client,
    mut workspace: Workspace,
    start: bool,
) -> Result<Workspace> {
    use ProvisionerJobStatus as Job;
    use WorkspaceTransition as To;
    for _ in 0..MAX_BUILDS {
        let build = &workspace.latest_build;
        let name = &workspace.name;
        match (&build.transition, &build.job.status) {
            (To::Start, Job::Succeeded) => return Ok(workspace),
            (To::Delete, _) => bail!("workspace {name:?} is being deleted, or has been"),
            (_, Job::Pending | Job::Running | Job::Canceling) => {
                // Its log ends with it.
                let log = client.build_logs(build.id, 0).await?;
                let lines = stream::unfold(log, async |mut log| Some((log.next().await?, log)));
                let has_ended = to_the_end(lines).await?;
                let starts = build.transition == To::Start;
                let ended = client.build(build.id).await?.job;
                let minutes = PATIENCE.as_secs() / 60;
                match ended.status {
                    _ if has_ended => {}
                    Job::Pending => bail!(
                        "no provisioner took the build of workspace {name:?} within {minutes} minutes; \
                         is one running that may?"
                    ),
                    Job::Running | Job::Canceling => {
                        bail!("the build of workspace {name:?} says nothing for {minutes} minutes")
                    }
                    _ => {}
                }
                if starts && ended.status == Job::Failed {
                    bail!("workspace {name:?} could not start: {}", ended.error);
                }
            }
            _ if !start => bail!(
                "workspace {name:?} is {}; start it with coder_create_workspace_build",
                build.status
            ),
            // What a failed start left behind goes first.
            (To::Start, Job::Failed) => build_create(client, &workspace, To::Stop).await?,
            _ => build_create(client, &workspace, To::Start).await?,
        }
        workspace = client.workspace(workspace.id).await?;
    }
    bail!(
        "workspace {:?} does not come to rest: it is built again and again",
        workspace.name
    )
}

/// Reads lines to their end; false if none came for too long.
async fn to_the_end<T, E>(lines: impl Stream<Item = Result<T, E>>) -> Result<bool, E> {
    let mut lines = std::pin::pin!(lines);
    loop {
        match tokio::time::timeout(PATIENCE, lines.next()).await {
            Ok(Some(line)) => drop(line?),
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

async fn build_create(
    client: &Client,
    of: &Workspace,
    transition: WorkspaceTransition,
) -> Result<()> {
    let request = CreateWorkspaceBuildRequest {
        transition,
        ..CreateWorkspaceBuildRequest::default()
    };
    match client.build_create(of.id, &request).await {
        // Somebody else was quicker: theirs is awaited.
        Err(error) if error.status() == Some(StatusCode::CONFLICT) => Ok(()),
        built => Ok(built.map(drop)?),
    }
}

/// Waits until an agent is connected and has run its startup scripts.
pub(crate) async fn connected(
    client: &Client,
    mut workspace: Workspace,
    name: Option<&str>,
) -> Result<WorkspaceAgent> {
    use WorkspaceAgentLifecycle as Life;
    let end = Instant::now() + PATIENCE;
    loop {
        let agent = find::agent(&workspace, name)?;
        let what = match (&agent.status, &agent.lifecycle_state) {
            (WorkspaceAgentStatus::Connected, Life::Created | Life::Starting) => {
                "still runs its startup scripts"
            }
            (
                WorkspaceAgentStatus::Connected,
                Life::ShuttingDown | Life::ShutdownError | Life::ShutdownTimeout | Life::Off,
            ) => bail!("the agent of workspace {:?} shuts down", workspace.name),
            (WorkspaceAgentStatus::Connected, _) => return Ok(agent.clone()),
            _ => "is not connected",
        };
        if Instant::now() >= end {
            bail!(
                "the agent of workspace {:?} {what} after {} minutes",
                workspace.name,
                PATIENCE.as_secs() / 60
            );
        }
        tokio::time::sleep(POLL).await;
        workspace = client.workspace(workspace.id).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_build_that_says_nothing_is_not_awaited_for_ever() {
        // Long ones may take their time, as long as they say something.
        let slow = stream::iter([Ok::<_, &str>(()); 3]).then(async |line| {
            tokio::time::sleep(PATIENCE / 2).await;
            line
        });
        assert_eq!(to_the_end(slow).await, Ok(true));
        let nothing = stream::pending::<Result<(), &str>>();
        assert_eq!(to_the_end(nothing).await, Ok(false));
        let lost = stream::iter([Err::<(), _>("lost")]);
        assert_eq!(to_the_end(lost).await, Err("lost"));
    }
}
