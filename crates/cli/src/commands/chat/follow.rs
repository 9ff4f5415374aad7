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

/// A chat whose agent is done.
pub struct Rest {
    /// The chat as it is then.
    pub chat: Chat,
    /// Whether ctrl-C stopped the agent.
    pub stopped: bool,
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
) -> Result<Rest> {
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
                Some(
                    ChatStatus::Waiting
                        | ChatStatus::Error
                        | ChatStatus::RequiresAction
                        | ChatStatus::Paused
                )
            );
            // The reason of a failure comes right after the status.
            let failed = transcript.status() == Some(&ChatStatus::Error);
            if done && (event.kind == Event::Status && !failed || event.kind == Event::Error) {
                end_line(transcript, form)?;
                if stopping && form == Form::Text {
                    session.note("Stopped.");
                }
                return Ok(Rest {
                    chat: client.chat(chat).await?,
                    stopped: stopping,
                });
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

/// How the command ends after a turn: one that failed fails it, one that was stopped ends it as
/// ctrl-C does.
pub fn verdict(rest: &Rest) -> Result<()> {
    let chat = &rest.chat;
    if chat.status != ChatStatus::Error {
        return if rest.stopped {
            Err(Exit(INTERRUPTED).into())
        } else {
            Ok(())
        };
    }
    let error = chat.last_error.clone().unwrap_or_default();
    Err(Advice::error(
        reason(&error.message, &error.detail),
        format!(
            "Nothing said is lost: 'coder chat send {} continue' tries again.",
            short(chat.id)
        ),
    ))
}

/// What went wrong, in a sentence or two.
fn reason(message: &str, detail: &str) -> String {
    let text = match (message.trim_end_matches('.'), detail) {
        ("", "") => "the turn failed".to_owned(),
        (message, "") => message.to_owned(),
        ("", detail) => detail.to_owned(),
        (message, detail) => format!("{message} ({})", detail.trim_end_matches('.')),
    };
    crate::follow::stages::printable(&text)
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn reasons_are_sentences() {
        assert_eq!(reason("", ""), "the turn failed");
        assert_eq!(reason("No key. Add one.", ""), "No key. Add one");
        assert_eq!(
            reason("Refused.", "Bad\u{1b}[2J key."),
            "Refused (Bad[2J key)"
        );
        assert_eq!(reason("", "why"), "why");
    }
}
