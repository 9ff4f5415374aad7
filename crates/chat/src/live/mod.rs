//! What viewers see live: rooms of chats, streams of viewers, and word of changes.
//!
//! The database is the truth. Whoever commits a transition in this process hands its events
//! over directly; a notification of another process makes a room read the rows. Each event is
//! serialized once, whatever the number of viewers.

mod episode;
pub mod events;
mod parts;
mod relay;
mod room;
mod viewer;

pub use episode::{Attempt, EpisodeWriter};
pub use parts::Parts;
pub use relay::Peers;
pub use viewer::Viewer;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api_types::{ChatMessageRole, ChatStatus, ChatStreamEvent};
use authz::{Subject, System};
use bytes::Bytes;
use parking_lot::Mutex;
use store::Store;
use store::chats::{CHATS_CHANNEL, ChatChange, ChatMessageRow, ChatQueueRow, ChatRow};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use room::Room;

/// Changes that a slow listener of all chats may lag behind before it is told to look itself.
const BACKLOG: usize = 4096;
/// How long a change made in this process may take from its commit to its events before the
/// room reads it from the rows.
const OWN_GRACE: Duration = Duration::from_millis(200);

/// What a committed transition changed, for those who watch.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The chat afterwards.
    pub chat: ChatRow,
    /// Its versions before.
    pub before: Versions,
    /// Messages written.
    pub inserted: Vec<ChatMessageRow>,
    /// Messages taken back: viewers must forget all.
    pub reset: Option<Vec<ChatMessageRow>>,
    /// The queue, if it changed.
    pub queue: Option<Vec<ChatQueueRow>>,
}

/// The versions of a chat, and what viewers were told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// See [`ChatRow::snapshot_version`].
    pub snapshot: i64,
    /// See [`ChatRow::history_version`].
    pub history: i64,
    /// See [`ChatRow::queue_version`].
    pub queue: i64,
    /// See [`ChatRow::retry_state_version`].
    pub retry: i64,
    /// See [`ChatRow::generation_attempt`].
    pub attempt: i64,
    /// Its status.
    pub status: ChatStatus,
}

impl Versions {
    /// Of a row.
    pub fn of(row: &ChatRow) -> Self {
        Versions {
            snapshot: row.snapshot_version,
            history: row.history_version,
            queue: row.queue_version,
            retry: row.retry_state_version,
            attempt: row.generation_attempt,
            status: row.status.clone(),
        }
    }
}

/// All rooms of this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    /// Names this process in notifications.
    origin: Uuid,
    rooms: Mutex<HashMap<Uuid, Arc<Room>>>,
    changes: broadcast::Sender<Option<Arc<ChatChange>>>,
    /// Workers of this process.
    workers: Mutex<HashSet<Uuid>>,
    /// The way to other replicas.
    peers: OnceLock<Arc<dyn Peers>>,
}

impl Hub {
    /// A hub without rooms.
    pub fn new(store: Store) -> Self {
        Hub {
            inner: Arc::new(Inner {
                store,
                origin: Uuid::new_v4(),
                rooms: Mutex::default(),
                changes: broadcast::channel(BACKLOG).0,
                workers: Mutex::default(),
                peers: OnceLock::new(),
            }),
        }
    }

    /// Names this process in notifications.
    pub fn origin(&self) -> Uuid {
        self.inner.origin
    }

    /// Every change of every chat, as far as this process hears of it; `None` says that some may
    /// have been missed.
    pub fn changes(&self) -> broadcast::Receiver<Option<Arc<ChatChange>>> {
        self.inner.changes.subscribe()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Listens to notifications until cancelled.
    pub async fn run(&self, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            let listener = tokio::select! {
                listener = self.inner.store.listen(CHATS_CHANNEL) => listener,
                () = cancel.cancelled() => return,
            };
            let mut listener = match listener {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::warn!(%error, "chats: cannot listen to changes yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            self.missed();
            loop {
                let payload = tokio::select! {
                    payload = listener.recv() => payload,
                    () = cancel.cancelled() => return,
                };
                match ChatChange::parse(&payload) {
                    Some(change) => self.heard(change),
                    None => self.missed(),
                }
            }
        }
    }

    /// Something may have been missed: rooms read their rows, loops look themselves.
    fn missed(&self) {
        let rooms: Vec<(Uuid, Arc<Room>)> = self
            .inner
            .rooms
            .lock()
            .iter()
            .map(|(id, room)| (*id, room.clone()))
            .collect();
        for (chat, room) in rooms {
            if room.has_viewers() {
                self.sync_soon(chat, room, Duration::ZERO);
            }
        }
        let _ = self.inner.changes.send(None);
    }

    fn heard(&self, change: ChatChange) {
        let room = self.inner.rooms.lock().get(&change.chat).cloned();
        if let Some(room) = room
            && room.at().is_some_and(|at| at < change.snapshot)
        {
            // What this process did itself comes with its events, without a query.
            let own = change.origin == self.inner.origin;
            let wait = if own { OWN_GRACE } else { Duration::ZERO };
            self.sync_soon(change.chat, room, wait);
        }
        let _ = self.inner.changes.send(Some(Arc::new(change)));
    }

    /// Tells loops of this process of a change without waiting for its notification.
    pub(crate) fn announce(&self, change: ChatChange) {
        let _ = self.inner.changes.send(Some(Arc::new(change)));
    }

    fn sync_soon(&self, chat: Uuid, room: Arc<Room>, wait: Duration) {
        let hub = self.clone();
        tokio::spawn(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            hub.sync(chat, &room).await;
        });
    }

    /// Brings a room up to date from the rows.
    async fn sync(&self, chat: Uuid, room: &Arc<Room>) {
        let _one = room.sync.lock().await;
        let Some(at) = room.at() else { return };
        let who = Subject::system(System::Chats);
        let read = async {
            let conn = self.inner.store.conn().await?;
            let row = conn.chat_read(&who, chat).await?;
            if row.snapshot_version <= at {
                return Ok(None);
            }
            let messages = conn.chat_messages_since(chat, at).await?;
            let queue = conn.chat_queue(chat).await?;
            Ok::<_, store::StoreError>(Some((row, messages, queue)))
        };
        match read.await {
            Ok(Some((row, messages, queue))) => {
                self.follow(&row, room);
                if messages.iter().any(|m| m.deleted) {
                    room.stale();
                }
                let attempt = (row.history_version, row.generation_attempt);
                room.tell(None, row.snapshot_version, attempt, |another| {
                    events::frames(&sync_events(&row, at, another, &messages, &queue))
                });
            }
            Ok(None) => {}
            // Deleted, or the database is away: viewers find out themselves.
            Err(error) => {
                tracing::debug!(%error, %chat, "chats: a room could not be brought up to date");
                room.stale();
            }
        }
    }

    /// Tells those who watch of what was committed here.
    pub(crate) fn publish(&self, committed: &Committed) {
        let chat = committed.chat.id;
        let Some(room) = self.inner.rooms.lock().get(&chat).cloned() else {
            return;
        };
        if !room.has_viewers() {
            return;
        }
        let row = &committed.chat;
        self.follow(row, &room);
        let attempt = (row.history_version, row.generation_attempt);
        let told = room.tell(
            Some(committed.before.snapshot),
            row.snapshot_version,
            attempt,
            |_| events::frames(&committed_events(committed)),
        );
        if !told {
            self.sync_soon(chat, room, Duration::ZERO);
        }
    }

    /// Begins to show the parts of an attempt.
    pub fn episode(&self, chat: Uuid, attempt: Attempt) -> EpisodeWriter {
        EpisodeWriter::new(self.clone(), chat, attempt, self.room(chat))
    }

    fn room(&self, chat: Uuid) -> Arc<Room> {
        let mut rooms = self.inner.rooms.lock();
        // Rooms that nobody needs go when another opens, so that their number follows use.
        if rooms.len() > 64 && !rooms.contains_key(&chat) {
            rooms.retain(|_, room| Arc::strong_count(room) > 1 || !room.is_idle());
        }
        rooms
            .entry(chat)
            .or_insert_with(|| Arc::new(Room::new()))
            .clone()
    }

    /// Gives a room back.
    fn leave(&self, chat: Uuid, room: &Arc<Room>) {
        room.forget_at();
        let mut rooms = self.inner.rooms.lock();
        // One here, one in the map.
        if room.is_idle() && Arc::strong_count(room) <= 2 {
            rooms.remove(&chat);
        }
    }
}

/// Events that lead a viewer from snapshot `at` to a row, whose attempt may be `another` than the one
/// whose parts it shows: those of the same one stand, as nothing sends them again.
fn sync_events(
    row: &ChatRow,
    at: i64,
    another: bool,
    messages: &[ChatMessageRow],
    queue: &[ChatQueueRow],
) -> Vec<ChatStreamEvent> {
    let mut out: Vec<ChatStreamEvent> = messages
        .iter()
        .filter(|m| events::is_shown(m))
        .map(events::message_event)
        .collect();
    if row.queue_version > at {
        out.push(events::queue_update(row.id, queue));
    }
    out.push(events::status(row));
    if row.history_version > at || row.status == ChatStatus::Error {
        out.extend(events::error(row));
    }
    out.extend(action_event(row, messages));
    if row.retry_state_version > at {
        out.extend(events::retry(row));
    }
    if another {
        out.push(events::preview_reset(row.id));
    }
    out
}

/// Events of one committed transition.
fn committed_events(committed: &Committed) -> Vec<ChatStreamEvent> {
    let row = &committed.chat;
    let before = &committed.before;
    let mut out = Vec::new();
    if let Some(all) = &committed.reset {
        out.push(events::history_reset(row.id));
        out.extend(
            all.iter()
                .filter(|m| events::is_shown(m))
                .map(events::message_event),
        );
    } else {
        out.extend(
            committed
                .inserted
                .iter()
                .filter(|m| events::is_shown(m))
                .map(events::message_event),
        );
    }
    if let Some(queue) = &committed.queue {
        out.push(events::queue_update(row.id, queue));
    }
    if row.status != before.status {
        out.push(events::status(row));
        out.extend(events::error(row));
    }
    if row.status == ChatStatus::RequiresAction && before.status != row.status {
        out.extend(action_event(row, &committed.inserted));
    }
    if row.retry_state_version > before.retry {
        out.extend(events::retry(row));
    }
    if row.history_version > before.history || row.generation_attempt != before.attempt {
        out.push(events::preview_reset(row.id));
    }
    out
}

/// What the client has to answer, if the chat waits for it.
fn action_event(row: &ChatRow, messages: &[ChatMessageRow]) -> Option<ChatStreamEvent> {
    if row.status != ChatStatus::RequiresAction {
        return None;
    }
    let calls = crate::history::open_dynamic_calls(messages, &row.dynamic_tools);
    (!calls.is_empty()).then(|| events::action_required(row.id, calls))
}

/// All that a viewer sees who comes anew and knows messages up to `after`.
fn first_events(
    row: &ChatRow,
    messages: &[ChatMessageRow],
    queue: &[ChatQueueRow],
    edited: bool,
    after: i64,
) -> Vec<ChatStreamEvent> {
    let mut out = Vec::new();
    let after = if edited { -1 } else { after };
    if edited {
        out.push(events::history_reset(row.id));
    }
    out.extend(
        messages
            .iter()
            .filter(|m| m.id > after && events::is_shown(m) && m.role != ChatMessageRole::System)
            .map(events::message_event),
    );
    if row.queue_version > 0 {
        out.push(events::queue_update(row.id, queue));
    }
    out.push(events::status(row));
    out.extend(events::error(row));
    out.extend(action_event(row, messages));
    out.extend(events::retry(row));
    out
}

/// The body of a frame that says nothing.
pub(crate) fn is_silent(body: &Bytes) -> bool {
    body.is_empty()
}
