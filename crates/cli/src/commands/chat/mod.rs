//! `coder chat`: AI agents from the terminal.

mod budget;
mod describe;
pub mod find;
mod follow;
mod instructions;
mod list;
mod markdown;
mod say;
mod show;
mod start;
mod stop;
mod transcript;
mod typed;
mod waiting;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Talk to AI agents that work in your workspaces.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Begin a chat, and follow the agent until it is done.
    #[command(visible_alias = "new")]
    Start(start::Args),
    /// Say something in a chat, and follow the agent until it is done.
    Send(say::SendArgs),
    /// Follow a chat and talk with its agent.
    Attach(say::AttachArgs),
    /// List your chats.
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Show what has been said in a chat.
    Show(show::Args),
    /// Show all that the agent of a chat is told before the conversation, and by whom.
    Instructions(instructions::Args),
    /// Stop what an agent is doing.
    Interrupt(stop::InterruptArgs),
    /// Fold the conversation so far into a summary.
    Compact(stop::CompactArgs),
    /// Give a chat another title.
    Rename(stop::RenameArgs),
    /// Put chats away; nothing is lost.
    Archive(stop::ArchiveArgs),
    /// Bring chats back from the archive.
    Unarchive(stop::ArchiveArgs),
}

/// Runs the command.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Command::Start(args) => start::run(args, session).await,
        Command::Send(args) => say::send(args, session).await,
        Command::Attach(args) => say::attach(args, session).await,
        Command::List(args) => list::run(args, session).await,
        Command::Show(args) => show::run(args, session).await,
        Command::Instructions(args) => instructions::run(args, session).await,
        Command::Interrupt(args) => stop::interrupt(args, session).await,
        Command::Compact(args) => stop::compact(args, session).await,
        Command::Rename(args) => stop::rename(args, session).await,
        Command::Archive(args) => stop::archive(args, session, true).await,
        Command::Unarchive(args) => stop::archive(args, session, false).await,
    }
}
