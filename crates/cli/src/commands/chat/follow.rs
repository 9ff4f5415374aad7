//! Following a chat until its agent is done.

use std::time::Duration;

use anyhow::{Context, Result};
use api_types::{Chat, ChatStatus, ChatStreamEventType as Event};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::find::short;
use super::transcript::Transcript;
use super::waiting::{PICTURE, Waiting};
use crate::failure::{Advice, Exit};
use crate::follow::interrupts::INTERRUPTED;
use crate::session::Session;
use crate::ui::output::emit;

/// Between attempts to reach a server that went away.
const RECONNECT: Duration = Duration::from_secs(1);
/// After so many attempts without an answer the server counts as gone.
const ATTEMPTS: u32 = 60;
/// How long the status that a tool of another program is awaited may come before what is awaited.
const ACTION_GRACE: Duration = Duration::from_secs(2);

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

impl Rest {
    /// Whether the turn is not through: it failed, or another program has to do something for it.
    pub fn is_unfinished(&self) -> bool {
        match self.chat.status {
            ChatStatus::Error => true,
            ChatStatus::RequiresAction => !self.stopped,
            _ => false,
        }
    }
}

/// What comes after an event of a chat.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// More.
    More,
    /// The end, and before it why.
    Reason,
    /// Nothing.
    End,
}

/// What comes after an event that left the chat with `status`.
fn next(event: &Event, status: Option<&ChatStatus>) -> Next {
    match (status, event) {
        (Some(ChatStatus::Waiting | ChatStatus::Paused), Event::Status) => Next::End,
        (Some(ChatStatus::RequiresAction), Event::Status) => Next::Reason,
        (Some(ChatStatus::RequiresAction), Event::ActionRequired) => Next::End,
        // The reason of a failure comes right after the status.
        (Some(ChatStatus::Waiting | ChatStatus::Paused | ChatStatus::Error), Event::Error) => {
            Next::End
        }
        _ => Next::More,
    }
}

/// Waits for `call`, and ends the command when ctrl-C comes first. Whoever followed an agent must
/// wait like this: the listener for ctrl-C takes from it that it ends the program by itself.
pub async fn unless_interrupted<T>(call: impl Future<Output = T>) -> Result<T> {
    tokio::select! {
        done = call => Ok(done),
        _ = tokio::signal::ctrl_c() => Err(Exit(INTERRUPTED).into()),
    }
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
    'follow: loop {
        // Until when the reason of an end that is known already is waited for.
        let mut reason_until: Option<Instant> = None;
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
                () = until(reason_until) => break 'follow,
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
            match next(&event.kind, transcript.status()) {
                Next::End => break 'follow,
                Next::Reason => reason_until = Some(Instant::now() + ACTION_GRACE),
                // It goes on after all.
                Next::More if event.kind == Event::Status => reason_until = None,
                Next::More => {}
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
    waiting.clear();
    end_line(transcript, form)?;
    if stopping && form == Form::Text {
        session.note("Stopped.");
    }
    let chat = tokio::select! {
        chat = client.chat(chat) => chat?,
        _ = interrupts.recv() => return Err(Exit(INTERRUPTED).into()),
    };
    Ok(Rest {
        chat,
        stopped: stopping,
    })
}

/// Waits until then; for ever if there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
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

/// How the command ends after a turn: one that failed, or that another program must do something for,
/// fails it, one that was stopped ends it as ctrl-C does.
pub fn verdict(rest: &Rest) -> Result<()> {
    let chat = &rest.chat;
    if chat.status == ChatStatus::RequiresAction && !rest.stopped {
        return Err(Advice::error(
            "the turn is not through: the agent waits for the answer of a tool that another program \
             offers",
            format!(
                "When it has answered, 'coder chat attach {0}' goes on; 'coder chat interrupt {0}' gives \
                 the turn up.",
                short(chat.id)
            ),
        ));
    }
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
    use super::*;

    #[test]
    fn the_end_is_told_with_its_reason() {
        let after = |status: ChatStatus, event: Event| next(&event, Some(&status));
        assert_eq!(next(&Event::Status, None), Next::More);
        assert_eq!(after(ChatStatus::Running, Event::Status), Next::More);
        assert_eq!(after(ChatStatus::Waiting, Event::Status), Next::End);
        assert_eq!(after(ChatStatus::Waiting, Event::Message), Next::More);
        assert_eq!(after(ChatStatus::Error, Event::Status), Next::More);
        assert_eq!(after(ChatStatus::Error, Event::Error), Next::End);
        let action = ChatStatus::RequiresAction;
        assert_eq!(after(action.clone(), Event::Status), Next::Reason);
        assert_eq!(after(action.clone(), Event::PreviewReset), Next::More);
        assert_eq!(after(action, Event::ActionRequired), Next::End);
    }

    #[test]
    fn a_turn_that_waits_for_another_program_fails_the_command() {
        let rest = |status, stopped| Rest {
            chat: Chat {
                status,
                ..Chat::default()
            },
            stopped,
        };
        let waits = rest(ChatStatus::RequiresAction, false);
        assert!(waits.is_unfinished());
        let error = verdict(&waits).unwrap_err();
        assert!(error.to_string().contains("another program"), "{error}");
        let stopped = verdict(&rest(ChatStatus::RequiresAction, true)).unwrap_err();
        assert_eq!(stopped.downcast_ref(), Some(&Exit(INTERRUPTED)));
        assert!(verdict(&rest(ChatStatus::Waiting, false)).is_ok());
    }

    #[tokio::test]
    async fn ctrl_c_ends_what_is_waited_for() {
        assert_eq!(unless_interrupted(async { 1 }).await.unwrap(), 1);
        // Listened to for the whole process before it is sent, so that it does not end the tests; sent
        // once this task waits.
        let _heard = signal(SignalKind::interrupt()).unwrap();
        tokio::spawn(async { nix::sys::signal::raise(nix::sys::signal::Signal::SIGINT).unwrap() });
        let ended = unless_interrupted(std::future::pending::<()>()).await;
        assert_eq!(ended.unwrap_err().downcast_ref(), Some(&Exit(INTERRUPTED)));
    }

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
