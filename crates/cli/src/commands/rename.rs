//! `coder rename`.

use anyhow::Result;
use clap::Args as ClapArgs;

use super::lookup;
use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::Question;

/// Rename a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Workspace to rename.
    workspace: String,

    /// Its new name.
    new_name: String,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Renames the workspace. Resources named after it may be made anew with the
/// next build, so the person types the old name to confirm.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    if !args.yes {
        say!("{}", session.style.warn("WARNING: A rename can lose data: resources that carry the workspace's name may be replaced by the next build."))?;
        let text = format!("Type {:?} to confirm rename:", workspace.name);
        Question::new(&text).ask(|answer| {
            anyhow::ensure!(
                answer == workspace.name,
                "That is not the name of the workspace."
            );
            Ok(())
        })?;
    }
    match client.workspace_rename(workspace.id, &args.new_name).await {
        Err(e) if e.status() == Some(http::StatusCode::FORBIDDEN) => Err(Advice::error(
            e.to_string(),
            "Renames may be disabled on this deployment; an administrator can allow them.",
        )),
        Err(e) => Err(e.into()),
        Ok(()) => say!(
            "Workspace {} renamed to {}",
            session.style.keyword(&workspace.name),
            session.style.keyword(&args.new_name)
        ),
    }
}
