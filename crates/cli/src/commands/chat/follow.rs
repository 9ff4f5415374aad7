//! Following a chat until its agent is done.

use std::time::Duration;

use anyhow::{Context, Result};
use api_types::{Chat, ChatStatus, ChatStreamEventType as Event};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::find::short;
use super::transcript::Transcript;
use super::waiting::{PICTURE, Waiting};
use crate::failure::{Advice, Exit};
use crate::session::Session;
use crate::ui::output::emit;

/// Code of a command that ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// Between attempts to reach a server that went away.
const RECONNECT: Duration = Duration::from_secs(1);
/// After so many attempts without an answer the server counts as gone.
const ATTEMPTS: u32 = 60;

/// How a chat is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON document per event and line.
    Json,
}

/// Shows what happens in a chat until its agent is done, and gives the chat then.
///
/// Ctrl-C stops the agent; once more leaves it to itself. A server that restarts is waited for.
/// On terminals a line says what is waited for.
pub async fn until_idle(
    session: &Session,
    chat: Uuid,
    transcript: &mut Transcript,
    form: Form,
) -> Result<Chat> {
    let client = session.client()?;
    // One listener for the whole time: no ctrl-C is missed between two waits.
    let mut interrupts = signal(SignalKind::interrupt()).context("listen for ctrl-C")?;
    let mut failures = 0;
    let mut stopping = false;
    let mut waiting = Waiting::new(session.style_err, form == Form::Text);
    let mut pictures = tokio::time::interval(PICTURE);
    pictures.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let after = Some(transcript.last()).filter(|l| *l > 0);
        let opened = tokio::select! {
            opened = client.chat_events(chat, after) => opened,
            _ = interrupts.recv() => return Err(left(session, chat)),
        };
        let mut events = match opened {
            Ok(events) => events,
            Err(error) if error.is_transient() && failures < ATTEMPTS => {
                if failures == 0 {
                    end_line(transcript, form)?;
                    session.note("The server does not answer; trying again.");
                }
                failures += 1;
                tokio::select! {
                    () = tokio::time::sleep(RECONNECT) => continue,
                    _ = interrupts.recv() => return Err(left(session, chat)),
                }
            }
            Err(error) if error.is_transient() => return Err(gone(chat)),
            Err(error) => return Err(error).context("follow the chat"),
        };
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = pictures.tick(), if waiting.on() => {
                    if let Some(what) = transcript.waits_for() {
                        waiting.draw(&what);
                    }
                    continue;
                }
                _ = interrupts.recv() => {
                    waiting.clear();
                    end_line(transcript, form)?;
                    if stopping {
                        return Err(left(session, chat));
                    }
                    stopping = true;
                    session.note("Stopping the agent; ctrl-C once more leaves it to itself.");
                    tokio::select! {
                        // It may have ended in this moment, which the stream tells.
                        _ = client.chat_interrupt(chat) => continue,
                        _ = interrupts.recv() => return Err(left(session, chat)),
                    }
                }
            };
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    tracing::debug!(%error, "the stream of the chat broke");
                    break;
                }
                None => break,
            };
            failures = 0;
            let text = transcript.event(&event);
            if !text.is_empty() || event.kind != Event::MessagePart {
                waiting.clear();
            }
            match form {
                Form::Text if !text.is_empty() => emit(&text)?,
                Form::Json => emit(&format!("{}\n", serde_json::to_string(&event)?))?,
                Form::Text => {}
            }
            let done = matches!(
                transcript.status(),
                Some(ChatStatus::Waiting | ChatStatus::Error | ChatStatus::RequiresAction)
            );
            // The reason of a failure comes right after the status.
            let failed = transcript.status() == Some(&ChatStatus::Error);
            if done && (event.kind == Event::Status && !failed || event.kind == Event::Error) {
                end_line(transcript, form)?;
                return Ok(client.chat(chat).await?);
            }
        }
        waiting.clear();
        failures += 1;
        if failures > ATTEMPTS {
            return Err(gone(chat));
        }
        tokio::select! {
            () = tokio::time::sleep(RECONNECT) => {}
            _ = interrupts.recv() => return Err(left(session, chat)),
        }
    }
}

/// Ends a line of text that was begun, so that something else can be said.
fn end_line(transcript: &mut Transcript, form: Form) -> Result<()> {
    let mut end = String::new();
    transcript.end_line(&mut end);
    if form == Form::Text && !end.is_empty() {
        emit(&end)?;
    }
    Ok(())
}

fn gone(chat: Uuid) -> anyhow::Error {
    Advice::error(
        "the server has not answered for a while",
        format!(
            "The chat is kept: 'coder chat attach {}' goes on.",
            short(chat)
        ),
    )
}

fn left(session: &Session, chat: Uuid) -> anyhow::Error {
    session.note(&format!(
        "The agent goes on without you. 'coder chat attach {}' comes back.",
        short(chat)
    ));
    Exit(INTERRUPTED).into()
}

/// How the command ends after a turn: a failed one fails it.
pub fn verdict(chat: &Chat) -> Result<()> {
    if chat.status != ChatStatus::Error {
        return Ok(());
    }
    let error = chat.last_error.clone().unwrap_or_default();
    let text = [error.message.as_str(), error.detail.as_str()]
        .iter()
        .filter(|t| !t.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(": ");
    Err(Advice::error(
        if text.is_empty() {
            "the turn failed".to_owned()
        } else {
            crate::follow::stages::printable(&text)
        },
        format!(
            "Nothing said is lost: 'coder chat send {} continue' tries again.",
            short(chat.id)
        ),
    ))
}
