//! `coder favorite` and `coder unfavorite`.

use anyhow::Result;
use clap::Args as ClapArgs;

use super::lookup;
use crate::say;
use crate::session::Session;

/// A workspace to mark or unmark.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,
}

/// Lists the workspace before the others.
pub async fn add(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    client.workspace_favorite(workspace.id).await?;
    say!("Workspace {:?} added to favorites.", workspace.name)
}

/// Lists the workspace among the others again.
pub async fn remove(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    client.workspace_unfavorite(workspace.id).await?;
    say!("Workspace {:?} removed from favorites.", workspace.name)
}
