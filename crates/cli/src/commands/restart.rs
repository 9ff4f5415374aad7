//! `coder restart`.

use anyhow::Result;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::building::{self, BuildFlags, Start};
use super::lookup;
use crate::follow;
use crate::parameters::flags::ParameterFlags;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;
use crate::ui::time;

/// Stop a workspace and start it again.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Workspace to restart.
    workspace: String,

    #[command(flatten)]
    parameters: ParameterFlags,

    #[command(flatten)]
    build: BuildFlags,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Stops, then starts.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let given = args.parameters.given()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    let start = Start {
        given: &given,
        flags: &args.build,
        update: false,
        yes: args.yes,
    };
    // A value that is wrong must not leave the workspace stopped.
    let request = building::prepare(session, &workspace, &start).await?;
    confirm_default_yes("Restart workspace?", args.yes)?;
    building::stop(session, &workspace, &args.build).await?;
    // What the stop changed (dormancy, schedules) may matter for the start.
    let workspace = client.workspace(workspace.id).await?;
    let build = building::send(session, &workspace, &start, &request).await?;
    follow::job::build(session, &build).await?;
    say!(
        "\nThe {} workspace has been restarted at {}!",
        session.style.keyword(&workspace.name),
        time::stamp(Utc::now())
    )
}
