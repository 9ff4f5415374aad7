//! The parts of chosen attempts, for replicas and clients that follow the rows themselves.

use std::collections::VecDeque;
use std::sync::Arc;

use authz::Subject;
use bytes::Bytes;
use store::StoreError;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::Hub;
use super::episode::Attempt;
use super::room::{Frame, Room};

/// A stream of the parts of the attempt that is followed.
pub struct Parts {
    hub: Hub,
    chat: Uuid,
    room: Arc<Room>,
    receiver: Option<broadcast::Receiver<Frame>>,
    attempt: Attempt,
    seq: i64,
    ready: VecDeque<Bytes>,
}

impl Hub {
    /// Opens a stream of parts; nothing comes until an attempt is followed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if `who` may not read the chat.
    pub async fn parts(&self, who: &Subject, chat: Uuid) -> Result<Parts, StoreError> {
        self.store().conn().await?.chat_read(who, chat).await?;
        let room = self.room(chat);
        Ok(Parts {
            hub: self.clone(),
            chat,
            receiver: Some(room.listen()),
            room,
            attempt: (0, 0),
            seq: 0,
            ready: VecDeque::new(),
        })
    }
}

impl Parts {
    /// Follows an attempt from its first part on.
    pub fn follow(&mut self, attempt: Attempt) {
        self.attempt = attempt;
        self.seq = 0;
        self.ready.clear();
        self.replay();
    }

    fn replay(&mut self) {
        for frame in self.room.replay(self.attempt, self.seq) {
            self.take(frame);
        }
    }

    fn take(&mut self, frame: Frame) {
        if let Frame::Parts {
            attempt,
            first,
            last,
            body,
        } = frame
            && attempt == self.attempt
            && last > self.seq
        {
            if first == self.seq + 1 {
                self.seq = last;
                self.ready.push_back(body);
            } else {
                self.replay();
            }
        }
    }

    /// The next frame.
    pub async fn next(&mut self) -> Bytes {
        loop {
            if let Some(body) = self.ready.pop_front() {
                return body;
            }
            let Some(receiver) = self.receiver.as_mut() else {
                return std::future::pending().await;
            };
            match receiver.recv().await {
                Ok(frame) => self.take(frame),
                Err(broadcast::error::RecvError::Lagged(_)) => self.replay(),
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.receiver = None;
        self.hub.leave(self.chat, &self.room);
    }
}
