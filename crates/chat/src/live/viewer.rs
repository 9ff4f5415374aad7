//! One viewer's stream of a chat: first what is, then what happens, without a gap.

use std::collections::VecDeque;
use std::sync::Arc;

use authz::Subject;
use bytes::Bytes;
use store::StoreError;
use store::chats::MessageRange;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::episode::Attempt;
use super::room::{Frame, Room};
use super::{Hub, events, first_events, is_silent};

/// Most messages that a viewer is sent at first; whoever wants older ones asks for pages.
const MAX_FIRST: i64 = 100_000;

/// A stream of frames: JSON arrays of events.
pub struct Viewer {
    hub: Hub,
    who: Subject,
    chat: Uuid,
    room: Arc<Room>,
    receiver: Option<broadcast::Receiver<Frame>>,
    /// The snapshot of the rows that it read.
    loaded: i64,
    /// The attempt whose parts it sees, and the last of them.
    attempt: Attempt,
    seq: i64,
    /// The newest message it has.
    newest: i64,
    ready: VecDeque<Bytes>,
}

impl Hub {
    /// Opens a stream for `who`, who has the messages up to `after`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if `who` may not read the chat.
    pub async fn view(
        &self,
        who: &Subject,
        chat: Uuid,
        after: Option<i64>,
    ) -> Result<Viewer, StoreError> {
        let room = self.room(chat);
        let mut viewer = Viewer {
            hub: self.clone(),
            who: who.clone(),
            chat,
            receiver: Some(room.listen()),
            room,
            loaded: 0,
            attempt: (0, 0),
            seq: 0,
            newest: after.unwrap_or(0),
            ready: VecDeque::new(),
        };
        viewer.load(after.unwrap_or(-1)).await?;
        Ok(viewer)
    }
}

impl Viewer {
    /// The next frame.
    ///
    /// # Errors
    /// When the chat is gone, or may not be read any more.
    pub async fn next(&mut self) -> Result<Bytes, StoreError> {
        loop {
            if let Some(body) = self.ready.pop_front() {
                return Ok(body);
            }
            let Some(receiver) = self.receiver.as_mut() else {
                return Err(StoreError::Internal("a stream without a room".to_owned()));
            };
            match receiver.recv().await {
                Ok(frame) => {
                    if !self.take(frame) {
                        self.reload().await?;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => self.reload().await?,
                Err(broadcast::error::RecvError::Closed) => std::future::pending::<()>().await,
            }
        }
    }

    /// Takes a frame; whether the viewer still knows all.
    fn take(&mut self, frame: Frame) -> bool {
        match frame {
            Frame::Stale => return false,
            Frame::Rows {
                snapshot,
                attempt,
                body,
            } => {
                if snapshot <= self.loaded {
                    return true;
                }
                if !is_silent(&body) {
                    self.ready.push_back(body);
                }
                if attempt != self.attempt {
                    self.attempt = attempt;
                    self.seq = 0;
                    for frame in self.room.replay(attempt, 0) {
                        self.take(frame);
                    }
                }
            }
            Frame::Parts {
                attempt,
                first,
                last,
                body,
            } => {
                if attempt != self.attempt || last <= self.seq {
                    return true;
                }
                if first != self.seq + 1 {
                    return false;
                }
                self.seq = last;
                self.ready.push_back(body);
            }
        }
        true
    }

    /// Reads the rows anew, after having missed something.
    async fn reload(&mut self) -> Result<(), StoreError> {
        self.receiver = Some(self.room.listen());
        let newest = self.newest;
        self.load(newest).await?;
        Ok(())
    }

    async fn load(&mut self, after: i64) -> Result<(), StoreError> {
        let conn = self.hub.store().conn().await?;
        let row = conn.chat_read(&self.who, self.chat).await?;
        let edited = conn.chat_was_edited(self.chat).await?;
        let range = MessageRange {
            before: None,
            // Calls that wait for the client may be older than what the viewer has.
            after: None,
            ascending: false,
            limit: MAX_FIRST,
        };
        let waits = row.status == api_types::ChatStatus::RequiresAction;
        let mut messages = conn
            .chat_messages(
                self.chat,
                MessageRange {
                    after: (!edited && !waits && after >= 0).then_some(after),
                    ..range
                },
            )
            .await?;
        messages.reverse();
        let queue = conn.chat_queue(self.chat).await?;
        drop(conn);
        // Newer ones come with the frames of their snapshot.
        messages.retain(|m| m.revision <= row.snapshot_version);
        self.loaded = row.snapshot_version;
        let attempt = (row.history_version, row.generation_attempt);
        // Who has parts of this attempt is told the rest of them, and nothing twice.
        let goes_on = attempt == self.attempt && self.seq > 0;
        if !goes_on {
            self.attempt = attempt;
            self.seq = 0;
        }
        self.room.begin_at(row.snapshot_version, attempt);
        self.hub.follow(&row, &self.room);
        if self.room.at().is_some_and(|at| at < row.snapshot_version) {
            let hub = self.hub.clone();
            hub.sync_soon(self.chat, self.room.clone(), std::time::Duration::ZERO);
        }
        let mut out = first_events(&row, &messages, &queue, edited, after);
        if !goes_on && (self.newest > 0 || row.generation_attempt > 0) {
            out.push(events::preview_reset(self.chat));
        }
        self.ready.extend(events::frames(&out));
        self.newest = messages
            .last()
            .map_or(self.newest, |m| m.id.max(self.newest));
        for frame in self.room.replay(self.attempt, self.seq) {
            self.take(frame);
        }
        Ok(())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.receiver = None;
        self.hub.leave(self.chat, &self.room);
    }
}
