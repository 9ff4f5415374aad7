//! Short commands on chats: interrupt, compact, rename, archive.

use anyhow::Result;
use api_types::{ChatStatus, UpdateChatRequest};
use clap::Args as ClapArgs;

use super::find;
use super::follow::{until_idle, verdict};
use super::start::Output;
use super::transcript::Transcript;
use crate::follow::stages::printable;
use crate::say;
use crate::session::Session;
use crate::ui::output::print_json;

/// Stop what an agent is doing.
#[derive(ClapArgs)]
pub struct InterruptArgs {
    /// Id of the chat, the beginning of it, its title, or 'last'.
    #[arg(value_name = "chat")]
    chat: String,

    #[command(flatten)]
    output: Output,
}

/// Fold the conversation so far into a summary.
#[derive(ClapArgs)]
pub struct CompactArgs {
    /// Id of the chat, the beginning of it, its title, or 'last'.
    #[arg(value_name = "chat")]
    chat: String,

    #[command(flatten)]
    output: Output,
}

/// Give a chat another title.
#[derive(ClapArgs)]
pub struct RenameArgs {
    /// Id of the chat, the beginning of it, its title, or 'last'.
    #[arg(value_name = "chat")]
    chat: String,

    /// The new title.
    #[arg(value_name = "title")]
    title: String,

    #[command(flatten)]
    output: Output,
}

/// Which chats.
#[derive(ClapArgs)]
pub struct ArchiveArgs {
    /// Ids of the chats, beginnings of them, titles, or 'last'.
    #[arg(value_name = "chat", required = true)]
    chats: Vec<String>,

    #[command(flatten)]
    output: Output,
}

/// Stops the agent.
pub async fn interrupt(args: InterruptArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let chat = find::chat(client, &args.chat).await?;
    if matches!(
        chat.status,
        ChatStatus::Waiting | ChatStatus::Error | ChatStatus::Paused
    ) {
        return if args.output.json() {
            print_json(&chat)
        } else {
            say!("The agent of {:?} rests already.", printable(&chat.title))
        };
    }
    let now = client.chat_interrupt(chat.id).await?;
    if args.output.json() {
        return print_json(&now);
    }
    match now.status {
        ChatStatus::Running | ChatStatus::Interrupting => {
            say!("The agent of {:?} is stopping.", printable(&chat.title))
        }
        _ => say!("The agent of {:?} has stopped.", printable(&chat.title)),
    }
}

/// Compacts, and waits for the end of it.
pub async fn compact(args: CompactArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let chat = find::chat(client, &args.chat).await?;
    let last = client.chat_messages(chat.id, None, 1).await?;
    let last = last.messages.iter().map(|m| m.id).max().unwrap_or(0);
    client.chat_compact(chat.id).await?;
    let mut transcript = Transcript::new(session.style, false, last);
    let rest = until_idle(session, chat.id, &mut transcript, args.output.form()).await?;
    verdict(&rest)
}

/// Renames.
pub async fn rename(args: RenameArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let chat = find::chat(client, &args.chat).await?;
    let request = UpdateChatRequest {
        title: Some(args.title),
        ..UpdateChatRequest::default()
    };
    client.chat_update(chat.id, &request).await?;
    if args.output.json() {
        return print_json(&client.chat(chat.id).await?);
    }
    Ok(())
}

/// Archives or brings back.
pub async fn archive(args: ArchiveArgs, session: &Session, archived: bool) -> Result<()> {
    let client = session.client()?;
    let mut changed = Vec::new();
    for name in &args.chats {
        let chat = find::chat(client, name).await?;
        let request = UpdateChatRequest {
            archived: Some(archived),
            ..UpdateChatRequest::default()
        };
        client.chat_update(chat.id, &request).await?;
        if args.output.json() {
            changed.push(client.chat(chat.id).await?);
            continue;
        }
        say!(
            "{:?} is {}.",
            printable(&chat.title),
            if archived { "archived" } else { "back" }
        )?;
    }
    if args.output.json() {
        return print_json(&changed);
    }
    Ok(())
}
