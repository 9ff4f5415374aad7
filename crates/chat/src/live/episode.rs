//! The parts of the attempt that is under way, kept until it is over, so that whoever comes
//! late sees all of it.
//!
//! Deltas of one kind that arrive within [`FLUSH`] of each other become one part: no text is
//! ever dropped, and the number of parts is bounded by time. What is kept is bounded by what an
//! attempt may produce (see [`crate::generate::MAX_ANSWER`]).

use std::sync::Arc;
use std::time::Duration;

use api_types::{ChatMessagePart, ChatMessagePartType, ChatMessageRole};
use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::room::{Frame, Room};
use super::{Hub, events};

/// At most so often viewers get a frame of parts; the first part of a pause goes at once.
const FLUSH: Duration = Duration::from_millis(20);

/// After so many parts they become rarer, so that an answer that drips for an hour is kept in
/// tens of thousands of parts and not in millions.
const MANY: i64 = 4096;

/// Which attempt parts belong to.
pub type Attempt = (i64, i64);

/// Parts of an attempt as viewers get them.
#[derive(Debug)]
pub(super) struct Episode {
    pub(super) attempt: Attempt,
    /// Serialized events; the first has seq 1.
    pub(super) events: Vec<Bytes>,
    /// Their length.
    pub(super) bytes: usize,
}

impl Episode {
    pub(super) fn new(attempt: Attempt) -> Self {
        Episode {
            attempt,
            events: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn extend(&mut self, events: Vec<Bytes>) {
        self.bytes += events.iter().map(Bytes::len).sum::<usize>();
        self.events.extend(events);
    }
}

/// The side of the worker: takes parts as they come.
pub struct EpisodeWriter {
    chat: Uuid,
    attempt: Attempt,
    room: Arc<Room>,
    hub: Hub,
    pending: Vec<(ChatMessageRole, ChatMessagePart)>,
    flushed: Option<Instant>,
    seq: i64,
}

impl EpisodeWriter {
    pub(super) fn new(hub: Hub, chat: Uuid, attempt: Attempt, room: Arc<Room>) -> Self {
        room.open_episode(attempt);
        EpisodeWriter {
            chat,
            attempt,
            room,
            hub,
            pending: Vec::new(),
            flushed: None,
            seq: 0,
        }
    }

    /// Takes a part. It is shown at once if none was shown lately, else at [`EpisodeWriter::due`].
    pub fn push(&mut self, role: ChatMessageRole, part: ChatMessagePart) {
        match self.pending.last_mut() {
            Some((last_role, last)) if *last_role == role && extends(last, &part) => {
                append(last, part);
            }
            _ => self.pending.push((role, part)),
        }
        if self.flushed.is_none_or(|at| at.elapsed() >= self.pause()) {
            self.flush();
        }
    }

    /// When [`EpisodeWriter::flush`] should be called; none if nothing waits.
    pub fn due(&self) -> Option<Instant> {
        if self.pending.is_empty() {
            return None;
        }
        Some(
            self.flushed
                .map_or_else(Instant::now, |at| at + self.pause()),
        )
    }

    fn pause(&self) -> Duration {
        FLUSH * u32::try_from(1 + self.seq / MANY).unwrap_or(u32::MAX)
    }

    /// Shows what waits.
    pub fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let first = self.seq + 1;
        let mut shown = Vec::with_capacity(self.pending.len());
        for (role, part) in self.pending.drain(..) {
            self.seq += 1;
            shown.push(Bytes::from(events::part(
                self.chat,
                &role,
                part,
                self.attempt,
                self.seq,
            )));
        }
        self.flushed = Some(Instant::now());
        self.room.show(self.attempt, first, shown);
    }
}

impl Drop for EpisodeWriter {
    fn drop(&mut self) {
        self.flush();
        self.room.close_episode(self.attempt);
        self.hub.leave(self.chat, &self.room);
    }
}

/// Whether a part merely continues another.
fn extends(last: &ChatMessagePart, next: &ChatMessagePart) -> bool {
    if last.kind != next.kind || next.provider_metadata.is_some() {
        return false;
    }
    match next.kind {
        ChatMessagePartType::Text => true,
        ChatMessagePartType::Reasoning => last.completed_at.is_none() && next.created_at.is_none(),
        ChatMessagePartType::ToolCall => {
            last.tool_call_id == next.tool_call_id
                && !next.args_delta.is_empty()
                && last.args.is_none()
                && next.args.is_none()
        }
        ChatMessagePartType::ToolResult => {
            let delta = |part: &ChatMessagePart| {
                !part.result_delta.is_empty() || !part.reasoning_delta.is_empty()
            };
            last.tool_call_id == next.tool_call_id && delta(last) && delta(next)
        }
        _ => false,
    }
}

fn append(last: &mut ChatMessagePart, next: ChatMessagePart) {
    if let Some(text) = next.text {
        last.text.get_or_insert_default().push_str(&text);
    }
    last.args_delta.push_str(&next.args_delta);
    last.result_delta.push_str(&next.result_delta);
    last.reasoning_delta.push_str(&next.reasoning_delta);
    if next.completed_at.is_some() {
        last.completed_at = next.completed_at;
    }
}

/// Parts as frames.
pub(super) fn frames(attempt: Attempt, first: i64, events: &[Bytes]) -> Vec<Frame> {
    let mut next = first;
    events::frames_of(events)
        .into_iter()
        .map(|(body, count)| {
            let first = next;
            next += count;
            Frame::Parts {
                attempt,
                first,
                last: next - 1,
                body,
            }
        })
        .collect()
}
