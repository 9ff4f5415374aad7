//! `coder update`.

use anyhow::Result;
use api_types::WorkspaceTransition;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::building::{self, BuildFlags, Start};
use super::lookup;
use crate::follow;
use crate::parameters::flags::ParameterFlags;
use crate::say;
use crate::session::Session;
use crate::ui::time;

/// Bring a workspace to the active version of its template and start it.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Workspace to update.
    workspace: String,

    #[command(flatten)]
    parameters: ParameterFlags,

    #[command(flatten)]
    build: BuildFlags,
}

/// Stops the workspace if it runs, then starts it with the active version.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let given = args.parameters.given()?;
    let mut workspace = lookup::workspace(client, &args.workspace).await?;
    if !workspace.outdated && given.is_empty() {
        return say!("Workspace is up-to-date.");
    }
    let start = Start {
        given: &given,
        flags: &args.build,
        update: true,
        yes: false,
    };
    // A value that is wrong must not leave the workspace stopped.
    let request = building::prepare(session, &workspace, &start).await?;
    if workspace.latest_build.transition == WorkspaceTransition::Start {
        building::stop(session, &workspace, &args.build).await?;
        workspace = client.workspace(workspace.id).await?;
    }
    let build = building::send(session, &workspace, &start, &request).await?;
    follow::job::build(session, &build).await?;
    say!(
        "\nThe {} workspace has been updated at {}!",
        session.style.keyword(&workspace.name),
        time::stamp(Utc::now())
    )
}
