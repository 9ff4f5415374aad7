//! Helpers: chats that a chat makes for parts of its task, one tool a file.
//!
//! A helper is a chat of its own below the one that made it, with the same owner, workspace, MCP
//! servers and sharing. Helpers have no helpers.

mod interrupt;
mod list;
mod message;
mod models;
mod spawn;
mod wait;

pub(super) use interrupt::interrupt_agent;
pub(super) use list::list_agents;
pub(super) use message::message_agent;
pub(super) use models::list_subagent_models;
pub(super) use spawn::{spawn_agent, spawn_agent_with_desktop};
pub(super) use wait::wait_agent;

use api_types::ChatStatus;
use serde_json::{Value, json};
use store::StoreError;
use store::chats::ChatRow;
use uuid::Uuid;

use super::ToolContext;
use super::args::Args;
use super::shape::Failed;
use crate::machine::MachineError;

/// What kind of helper a chat is, as models name it.
fn kind(chat: &ChatRow) -> &str {
    chat.mode.as_deref().unwrap_or("general")
}

/// Whether nothing more comes by itself.
fn rests(chat: &ChatRow) -> bool {
    chat.archived
        || matches!(
            chat.status,
            ChatStatus::Waiting | ChatStatus::Error | ChatStatus::Paused
        )
}

/// What all answers about a helper say.
fn shown(chat: &ChatRow) -> Value {
    let mut value = json!({
        "chat_id": chat.id,
        "title": chat.title,
        "status": chat.status,
        "type": kind(chat),
    });
    if let Some(error) = &chat.last_error {
        value["last_error"] = Value::from(error.message.as_str());
    }
    value
}

/// The helper that a call names: one of this chat's own, and nobody else's.
async fn named(context: &ToolContext, args: &Args) -> Result<ChatRow, Failed> {
    let text = args.text("chat_id")?;
    let none = || {
        Failed(format!(
            "There is no agent {text:?}. list_agents shows those that you started."
        ))
    };
    let id: Uuid = text.trim().parse().map_err(|_| none())?;
    let conn = context.machine.store().conn().await.map_err(words)?;
    match conn.chat_read(&context.who, id).await {
        Ok(row) if row.parent_chat_id == Some(context.chat.id) => Ok(row),
        Ok(_) | Err(StoreError::NotFound) => Err(none()),
        Err(error) => Err(words(error)),
    }
}

/// An error for the model.
fn words(error: StoreError) -> Failed {
    match error {
        StoreError::Forbidden(_) | StoreError::NotFound => {
            "The chat's owner is not allowed to do this any more.".into()
        }
        error => Failed(format!(
            "The agent could not be reached: {error}. Try again."
        )),
    }
}

/// A transition that did not happen, for the model.
fn refused(error: MachineError) -> Failed {
    match error {
        MachineError::Store(error) => words(error),
        MachineError::NotAllowed(no) => {
            Failed(format!("The agent's state does not allow this: {no}."))
        }
        error => Failed(error.to_string()),
    }
}
