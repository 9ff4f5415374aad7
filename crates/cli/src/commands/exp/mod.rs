//! `coder exp`: commands that may still change.

mod agent_socket;
mod ai_model_prices;
mod chat;
mod mcp;
mod rpty;
mod sync;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Commands that may still change.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// See and set what models cost.
    AiModelPrices(ai_model_prices::Args),
    /// Chats, from within a workspace.
    Chat(chat::Args),
    /// Run the MCP server, and configure AI tools to use it.
    Mcp(mcp::Args),
    /// Open the terminal of a workspace that the web terminal shows.
    Rpty(rpty::Args),
    /// Put scripts of this workspace into an order.
    Sync(sync::Args),
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::AiModelPrices(args) => ai_model_prices::run(args, session).await,
        Sub::Chat(args) => chat::run(args, session).await,
        Sub::Mcp(args) => mcp::run(args, session).await,
        Sub::Rpty(args) => rpty::run(args, session).await,
        Sub::Sync(args) => sync::run(args, session).await,
    }
}
