//! `coder autoupdate`.

use anyhow::Result;
use api_types::AutomaticUpdates;
use clap::Args as ClapArgs;

use super::lookup;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// Choose whether a workspace updates with every start.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// Whether to use the template's newest version with every start.
    #[arg(value_parser = ["always", "never"])]
    when: String,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Stores the choice.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    confirm_default_yes(
        &format!(
            "Set automatic updates of {:?} to {}?",
            workspace.name, args.when
        ),
        args.yes,
    )?;
    client
        .workspace_autoupdates(workspace.id, AutomaticUpdates::from(args.when.as_str()))
        .await?;
    say!(
        "Updated workspace {:?} auto-update policy to {:?}",
        workspace.name,
        args.when
    )
}
