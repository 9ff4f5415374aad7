//! `coder delete`.

use anyhow::Result;
use api_types::WorkspaceTransition;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::building::{self, BuildFlags};
use super::lookup;
use crate::follow;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm;
use crate::ui::time;

/// Delete a workspace and everything in it.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Workspace to delete.
    workspace: String,

    /// Forget the workspace without destroying its resources. They stay and may cost money.
    #[arg(long)]
    orphan: bool,

    #[command(flatten)]
    build: BuildFlags,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Deletes the workspace and follows the build.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    let name = session
        .style
        .keyword(&format!("{}/{}", workspace.owner_name, workspace.name));
    say!(
        "{name} ({}), last built {} ago",
        super::list::status(&workspace),
        time::coarse(Utc::now() - workspace.latest_build.created_at)
    )?;
    let question = if args.orphan {
        "Forget this workspace and leave its resources running?"
    } else {
        "Confirm delete workspace?"
    };
    confirm(question, args.yes)?;
    let mut request = building::request(WorkspaceTransition::Delete, &args.build);
    request.orphan = args.orphan;
    let build = client.build_create(workspace.id, &request).await?;
    building::warn_without_provisioner(session, &build);
    follow::job::build(session, &build).await?;
    say!("\n{name} has been deleted at {}!", time::stamp(Utc::now()))
}
