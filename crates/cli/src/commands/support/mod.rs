//! `coder support`: what others need to help with a problem, in one file.

mod bundle;
mod collect;
mod gather;
mod redact;
mod workspace_files;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Collect what others need to help you.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Write a file with everything about a deployment, a workspace and the network between.
    Bundle(Box<bundle::Args>),
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let Sub::Bundle(args) = args.command;
    bundle::run(*args, session).await
}
