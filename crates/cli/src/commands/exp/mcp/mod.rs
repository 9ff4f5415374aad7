//! `coder exp mcp`: what AI tools reach by the Model Context Protocol, and telling them so.

mod configure;
mod links;
mod report;
mod served;
mod server;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Run the MCP server, and configure AI tools to use it.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Write the MCP server into the configuration of an AI tool.
    Configure(configure::Args),
    /// Serve tools for workspaces, templates and chats on standard input and output.
    Server(server::Args),
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Configure(args) => configure::run(args, session),
        Sub::Server(args) => Box::pin(server::run(args, session)).await,
    }
}
