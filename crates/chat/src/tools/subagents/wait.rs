//! `wait_agent`: the report of a helper.

use std::sync::Arc;
use std::time::Duration;

use api_types::ChatMessageRole;
use serde_json::{Value, json};
use store::chats::{ChatChange, ChatRow, MessageRange};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use uuid::Uuid;

use super::{named, rests, shown, words};
use crate::history;
use crate::tools::ToolContext;
use crate::tools::args::Args;
use crate::tools::computer::Film;
use crate::tools::shape::{Done, Simple};

/// How long is waited when the model does not say, in seconds.
const PATIENCE: u64 = 300;
/// The longest that is waited at once: the user should hear something in between.
const MAX_PATIENCE: u64 = 3600;
/// How often the row is looked at beside word of changes, which can get lost.
const LOOK: Duration = Duration::from_secs(5);
/// Messages from the end in which the report is looked for: calls of tools may follow it when a
/// run was stopped.
const TAIL: i64 = 50;

/// Waits for a helper.
pub(in crate::tools) fn wait_agent() -> Simple {
    Simple::new(
        "wait_agent",
        "Wait until an agent that you started rests, and get its report: the last thing it said. \
             If the time is over before, the agent goes on; wait again.",
        json!({
            "type": "object",
            "properties": {
                "chat_id": { "type": "string", "description": "Of spawn_agent." },
                "timeout_seconds": { "type": "integer", "description": "Default 300." },
            },
            "required": ["chat_id"],
        }),
        |context, args| Box::pin(wait(context, args)),
    )
    .repeatable()
}

async fn wait(context: &ToolContext, args: Args) -> Done {
    let patience = args.number("timeout_seconds")?.unwrap_or(PATIENCE);
    let end = Instant::now() + Duration::from_secs(patience.min(MAX_PATIENCE));
    // Listening begins before looking: nothing falls between.
    let mut changes = context.machine.hub().changes();
    let mut film = None;
    let mut is_first = true;
    loop {
        let chat = named(context, &args).await?;
        if rests(&chat) {
            let mut report = report(context, &chat).await?;
            if is_first {
                film = Film::left(context, &chat).await;
            }
            if let Some(film) = film.filter(|_| chat.last_error.is_none()) {
                film.end(context, &chat, &mut report).await;
            }
            return Ok(report);
        }
        if std::mem::take(&mut is_first) {
            film = Film::begin(context, &chat).await;
        }
        if Instant::now() >= end {
            let mut value = shown(&chat);
            value["timed_out"] = Value::from(true);
            return Ok(value);
        }
        let look = end.min(Instant::now() + LOOK);
        tokio::select! {
            () = tokio::time::sleep_until(look) => {}
            () = changed(&mut changes, chat.id) => {}
        }
    }
}

/// Returns when the chat may have changed.
async fn changed(changes: &mut Receiver<Option<Arc<ChatChange>>>, chat: Uuid) {
    loop {
        match changes.recv().await {
            Ok(Some(change)) if change.chat != chat => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // The search goes on without word of changes.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn report(context: &ToolContext, chat: &ChatRow) -> Done {
    let conn = context.machine.store().conn().await.map_err(words)?;
    let range = MessageRange {
        limit: TAIL,
        ..MessageRange::default()
    };
    let messages = conn.chat_messages(chat.id, range).await.map_err(words)?;
    let said = messages
        .iter()
        .take_while(|m| m.role != ChatMessageRole::User)
        .filter(|m| m.role == ChatMessageRole::Assistant)
        .map(|m| history::text_of(&m.content))
        .find(|text| !text.trim().is_empty());
    let mut value = shown(chat);
    value["report"] = Value::from(said.unwrap_or_default());
    Ok(value)
}
