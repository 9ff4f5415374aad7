//! Parts that another replica generates, brought to those who watch here: one connection a chat,
//! whatever the number of viewers, and only while somebody watches.

use std::sync::{Arc, Weak};
use std::time::Duration;

use api_types::{ChatStatus, ChatStreamEvent};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use store::chats::ChatRow;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::episode::Attempt;
use super::room::Room;
use super::{Hub, events};

/// Pauses before a replica is called again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// The way to other replicas.
pub trait Peers: Send + Sync {
    /// The frames of parts that the replica `worker` makes for a chat, of whichever attempt is
    /// asked for last, from its first part on. Ends when the replica is lost or not reached.
    fn parts(
        &self,
        worker: Uuid,
        chat: Uuid,
        attempts: watch::Receiver<Attempt>,
    ) -> BoxStream<'static, Bytes>;
}

/// A room's connection to the replica that generates.
#[derive(Debug)]
pub(super) struct Relay {
    worker: Uuid,
    /// The snapshot of the row that asked for it.
    snapshot: i64,
    attempts: watch::Sender<Attempt>,
    _task: AbortOnDropHandle<()>,
}

impl Hub {
    /// Brings in the way to other replicas.
    pub fn peers_set(&self, peers: Arc<dyn Peers>) {
        // Set once, when the process starts.
        let _ = self.inner.peers.set(peers);
    }

    /// A worker of this process began.
    pub(crate) fn worker_began(&self, worker: Uuid) {
        self.inner.workers.lock().insert(worker);
    }

    /// Follows the parts of a chat at the replica that generates, if that is another and
    /// somebody watches here; else stops following.
    pub(super) fn follow(&self, row: &ChatRow, room: &Arc<Room>) {
        let Some(peers) = self.inner.peers.get() else {
            return;
        };
        let elsewhere = row.worker_id.filter(|worker| {
            row.status == ChatStatus::Running
                && room.has_viewers()
                && !self.inner.workers.lock().contains(worker)
        });
        let attempt = (row.history_version, row.generation_attempt);
        room.relay(|relay| {
            if relay
                .as_ref()
                .is_some_and(|r| r.snapshot > row.snapshot_version)
            {
                return;
            }
            let Some(worker) = elsewhere else {
                *relay = None;
                return;
            };
            if let Some(relay) = relay.as_mut().filter(|relay| relay.worker == worker) {
                relay.snapshot = row.snapshot_version;
                relay.attempts.send_if_modified(|current| {
                    let newer = *current < attempt;
                    *current = attempt.max(*current);
                    newer
                });
                return;
            }
            let (attempts, wanted) = watch::channel(attempt);
            let run = run(peers.clone(), Arc::downgrade(room), worker, row.id, wanted);
            *relay = Some(Relay {
                worker,
                snapshot: row.snapshot_version,
                attempts,
                _task: AbortOnDropHandle::new(tokio::spawn(run)),
            });
        });
    }
}

async fn run(
    peers: Arc<dyn Peers>,
    room: Weak<Room>,
    worker: Uuid,
    chat: Uuid,
    attempts: watch::Receiver<Attempt>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut frames = peers.parts(worker, chat, attempts.clone());
        while let Some(frame) = frames.next().await {
            let Some(room) = room.upgrade() else { return };
            if !take(&room, chat, &frame) {
                tracing::debug!(%chat, %worker, "chats: parts of another replica have a gap");
                break;
            }
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Shows a frame of another replica; false if it does not follow what came before.
fn take(room: &Room, chat: Uuid, frame: &[u8]) -> bool {
    let Ok(list) = serde_json::from_slice::<Vec<ChatStreamEvent>>(frame) else {
        return false;
    };
    let mut run: Option<(Attempt, i64, Vec<Bytes>)> = None;
    for event in list {
        let Some(part) = event.message_part else {
            return false;
        };
        let attempt = (part.history_version, part.generation_attempt);
        let body = Bytes::from(events::part(chat, &part.role, part.part, attempt, part.seq));
        match &mut run {
            Some((current, first, bodies))
                if *current == attempt && part.seq == *first + bodies.len() as i64 =>
            {
                bodies.push(body);
            }
            _ => {
                if let Some((attempt, first, bodies)) = run.replace((attempt, part.seq, vec![body]))
                    && !room.show_foreign(attempt, first, bodies)
                {
                    return false;
                }
            }
        }
    }
    match run {
        Some((attempt, first, bodies)) => room.show_foreign(attempt, first, bodies),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use api_types::{ChatMessagePart, ChatMessageRole};

    use super::*;

    fn frame(attempt: Attempt, seqs: std::ops::RangeInclusive<i64>) -> Vec<u8> {
        let parts: Vec<String> = seqs
            .map(|seq| {
                let part = ChatMessagePart::text(seq.to_string());
                let role = ChatMessageRole::Assistant;
                String::from_utf8(events::part(Uuid::nil(), &role, part, attempt, seq)).unwrap()
            })
            .collect();
        format!("[{}]", parts.join(",")).into_bytes()
    }

    #[test]
    fn parts_of_another_replica_are_taken_once_and_without_gaps() {
        let room = Room::new();
        let take = |frame: &[u8]| take(&room, Uuid::nil(), frame);
        let count = |attempt| room.replay(attempt, 0).len();
        assert!(take(&frame((1, 1), 1..=3)));
        // Told again after a new connection.
        assert!(take(&frame((1, 1), 1..=5)));
        assert!(!take(&frame((1, 1), 7..=8)), "a gap");
        assert!(!take(&frame((1, 1), 0..=0)) && !take(b"{}") && !take(b"[{}]"));
        assert_eq!(count((1, 1)), 1);
        let all = match &room.replay((1, 1), 0)[0] {
            crate::live::room::Frame::Parts { first, last, .. } => (*first, *last),
            other => panic!("{other:?}"),
        };
        assert_eq!(all, (1, 5));
        assert!(take(&frame((2, 1), 1..=1)));
        assert!(take(&frame((1, 2), 1..=9)), "old news are no gap");
        assert_eq!((count((1, 2)), count((2, 1))), (0, 1));
    }
}
