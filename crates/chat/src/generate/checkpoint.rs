//! Writes down now and then what an answer says so far, so that little of it is lost with the
//! replica that streams it. Long answers only: short ones are committed before the first time.

use std::sync::Arc;
use std::time::Duration;

use api_types::{ChatMessagePart, ChatMessagePartType};
use futures::FutureExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::live::Attempt;
use crate::worker::Shared;

/// So much of an answer may be lost; also how often a chat writes at most.
const EVERY: Duration = Duration::from_secs(2);

/// What of an answer is written down already, and what is not.
pub(super) struct Checkpoint {
    shared: Arc<Shared>,
    chat: Uuid,
    attempt: Attempt,
    /// Pieces written.
    seq: i32,
    unsaved: Vec<ChatMessagePart>,
    /// When the oldest of it came.
    since: Option<Instant>,
    /// The piece that is being written; given back if that fails.
    writing: Option<JoinHandle<Option<Vec<ChatMessagePart>>>>,
}

impl Checkpoint {
    pub(super) fn new(shared: Arc<Shared>, chat: Uuid, attempt: Attempt) -> Self {
        Checkpoint {
            shared,
            chat,
            attempt,
            seq: 0,
            unsaved: Vec::new(),
            since: None,
            writing: None,
        }
    }

    /// Takes what viewers are shown of an answer; calls of tools are not kept.
    pub(super) fn push(&mut self, part: &ChatMessagePart) {
        let texts = matches!(
            part.kind,
            ChatMessagePartType::Text | ChatMessagePartType::Reasoning
        );
        if texts {
            append(&mut self.unsaved, part);
            self.since.get_or_insert_with(Instant::now);
        }
    }

    /// When [`Checkpoint::write`] should be called; none if nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + EVERY)
    }

    /// Writes what waits, beside the stream.
    pub(super) fn write(&mut self) {
        if let Some(writing) = self.writing.as_mut() {
            let Some(ended) = writing.now_or_never() else {
                // A database that is slow is not given more to do.
                self.since = Some(Instant::now());
                return;
            };
            self.writing = None;
            match ended {
                Ok(Some(lost)) => {
                    let mut all = lost;
                    all.append(&mut self.unsaved);
                    self.unsaved = all;
                }
                _ => self.seq += 1,
            }
        }
        self.since = None;
        let parts = joined(std::mem::take(&mut self.unsaved));
        let (shared, chat, attempt, seq) = (self.shared.clone(), self.chat, self.attempt, self.seq);
        self.writing = Some(tokio::spawn(async move {
            let written = async {
                let conn = shared.parts.machine.store().conn().await?;
                conn.chat_partial_add(chat, attempt, seq, &parts).await
            };
            let failed = written.await.err()?;
            tracing::debug!(%failed, %chat, "chats: what was said so far is kept in memory only");
            Some(parts)
        }));
    }

    /// The answer is a message now, or given up: what was written down is not needed any more.
    pub(super) fn done(mut self) {
        self.unsaved.clear();
        let Some(writing) = self.writing.take() else {
            return;
        };
        let (shared, chat, attempt) = (self.shared.clone(), self.chat, self.attempt);
        self.shared.beside(async move {
            let _ = writing.await;
            let cleared = async {
                let conn = shared.parts.machine.store().conn().await?;
                conn.chat_partial_clear(chat, attempt).await
            };
            // What stays belongs to an attempt that is over, and is read by nobody.
            if let Err(error) = cleared.await {
                tracing::debug!(%error, %chat, "chats: a kept answer was not forgotten");
            }
        });
    }
}

impl Drop for Checkpoint {
    /// The replica stops in the middle of an answer: whoever takes the chat over finds all of it.
    fn drop(&mut self) {
        if self.unsaved.is_empty() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (shared, chat, attempt) = (self.shared.clone(), self.chat, self.attempt);
        let (mut seq, writing) = (self.seq, self.writing.take());
        let mut rest = std::mem::take(&mut self.unsaved);
        self.shared.to_the_end(async move {
            let mut parts = Vec::new();
            if let Some(writing) = writing {
                match writing.await {
                    Ok(Some(lost)) => parts = lost,
                    _ => seq += 1,
                }
            }
            parts.append(&mut rest);
            let written = async {
                let conn = shared.parts.machine.store().conn().await?;
                conn.chat_partial_add(chat, attempt, seq, &parts).await
            };
            if let Err(error) = written.await {
                tracing::debug!(%error, %chat, "chats: the end of what was said is lost");
            }
        });
    }
}

/// Pieces as whole parts: what continues a text is put behind it.
pub(crate) fn joined(pieces: Vec<ChatMessagePart>) -> Vec<ChatMessagePart> {
    let mut parts = Vec::new();
    for piece in &pieces {
        append(&mut parts, piece);
    }
    parts
}

fn append(parts: &mut Vec<ChatMessagePart>, piece: &ChatMessagePart) {
    match parts.last_mut() {
        Some(last) if last.kind == piece.kind => {
            let text = piece.text.as_deref().unwrap_or_default();
            last.text.get_or_insert_default().push_str(text);
        }
        _ => parts.push(piece.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_whole_texts() {
        let text = ChatMessagePart::text;
        let pieces = vec![
            ChatMessagePart::reasoning("h"),
            ChatMessagePart::reasoning("m"),
            text("a"),
            text("b"),
        ];
        let parts = joined(pieces);
        let texts: Vec<_> = parts.iter().filter_map(|p| p.text.as_deref()).collect();
        assert_eq!(texts, ["hm", "ab"]);
    }
}
