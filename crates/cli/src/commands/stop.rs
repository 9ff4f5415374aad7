//! `coder stop`.

use anyhow::Result;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::building::{self, BuildFlags};
use super::lookup;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;
use crate::ui::time;

/// Stop a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Workspace to stop.
    workspace: String,

    #[command(flatten)]
    build: BuildFlags,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Stops the workspace and follows the build.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    confirm_default_yes("Confirm stop workspace?", args.yes)?;
    let workspace = lookup::workspace(session.client()?, &args.workspace).await?;
    building::stop(session, &workspace, &args.build).await?;
    say!(
        "\nThe {} workspace has been stopped at {}!",
        session.style.keyword(&workspace.name),
        time::stamp(Utc::now())
    )
}
