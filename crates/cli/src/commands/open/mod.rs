//! `coder open`: a workspace in an editor, an app of it in the browser.

mod app;
mod vscode;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Open a workspace in an editor, or one of its apps in the browser.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Open a workspace in VS Code Desktop.
    Vscode(vscode::Args),
    /// Open an app of a workspace.
    App(app::Args),
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Vscode(args) => vscode::run(args, session).await,
        Sub::App(args) => app::run(args, session).await,
    }
}

/// Whether this program runs in a workspace, where there is no desktop.
fn inside_a_workspace() -> bool {
    std::env::var("CODER").is_ok_and(|v| v == "true")
}
