//! `coder prebuilds`.

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::say;
use crate::session::Session;

/// Control how workspaces are built in advance.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Stop building workspaces in advance, for example while a template is broken.
    Pause,
    /// Build workspaces in advance again.
    Resume,
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let (paused, said) = match args.command {
        Sub::Pause => (true, "Prebuilds are now paused."),
        Sub::Resume => (false, "Prebuilds are now resumed."),
    };
    session.client()?.prebuilds_pause(paused).await?;
    say!("{said}")
}
