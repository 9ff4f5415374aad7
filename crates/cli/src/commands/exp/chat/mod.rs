//! `coder exp chat`: chats as seen from within a workspace.

mod context;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Chats, from within a workspace.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// See and change what a workspace tells AI agents.
    Context(context::Args),
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Context(args) => context::run(args, session).await,
    }
}
