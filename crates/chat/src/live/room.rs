//! One chat's room: what its viewers have been told, and the attempt under way.

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::episode::{Attempt, Episode, frames};
use super::relay::Relay;

/// Frames that a slow viewer may lag behind; one that falls further back reads the rows anew.
const BACKLOG: usize = 128;

/// Bytes of one attempt that are taken from another replica: more than an answer of the largest
/// size makes there.
const MAX_FOREIGN: usize = 64 << 20;

/// What goes to every viewer of a chat.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    /// Rows changed.
    Rows {
        /// The chat's snapshot after it.
        snapshot: i64,
        /// The attempt that is current after it.
        attempt: Attempt,
        /// Arrays of events; the last frame of one snapshot carries its number.
        body: Bytes,
    },
    /// Parts of an attempt.
    Parts {
        /// Which attempt.
        attempt: Attempt,
        /// Number of the first part.
        first: i64,
        /// Number of the last part.
        last: i64,
        /// An array of events.
        body: Bytes,
    },
    /// Whoever watches must read the rows anew.
    Stale,
}

#[derive(Debug, Default)]
struct State {
    /// Up to which snapshot viewers were told, and of which attempt; none while nobody watches.
    at: Option<(i64, Attempt)>,
    episode: Option<Episode>,
    open: bool,
}

/// A room; lives as long as someone watches or generates.
#[derive(Debug)]
pub(super) struct Room {
    state: Mutex<State>,
    frames: broadcast::Sender<Frame>,
    /// The connection to the replica that generates, if that is another.
    relay: Mutex<Option<Relay>>,
    /// One reader of rows at a time.
    pub(super) sync: tokio::sync::Mutex<()>,
}

impl Room {
    pub(super) fn new() -> Self {
        Room {
            state: Mutex::default(),
            frames: broadcast::channel(BACKLOG).0,
            relay: Mutex::default(),
            sync: tokio::sync::Mutex::default(),
        }
    }

    /// Begins to listen.
    pub(super) fn listen(&self) -> broadcast::Receiver<Frame> {
        self.frames.subscribe()
    }

    pub(super) fn has_viewers(&self) -> bool {
        self.frames.receiver_count() > 0
    }

    /// Up to which snapshot viewers were told.
    pub(super) fn at(&self) -> Option<i64> {
        self.state.lock().at.map(|(snapshot, _)| snapshot)
    }

    /// A first viewer read the rows up to here.
    pub(super) fn begin_at(&self, snapshot: i64, attempt: Attempt) {
        let mut state = self.state.lock();
        if state.at.is_none() {
            state.at = Some((snapshot, attempt));
        }
    }

    /// The last viewer left.
    pub(super) fn forget_at(&self) {
        let mut state = self.state.lock();
        if self.frames.receiver_count() == 0 {
            state.at = None;
            *self.relay.lock() = None;
        }
    }

    /// Changes the connection to the replica that generates.
    pub(super) fn relay(&self, change: impl FnOnce(&mut Option<Relay>)) {
        change(&mut self.relay.lock());
    }

    /// Tells viewers of rows, if `from` is what they know already; whether it was. What is told is
    /// made of whether the attempt is another than the one that they know.
    pub(super) fn tell(
        &self,
        from: Option<i64>,
        snapshot: i64,
        attempt: Attempt,
        bodies: impl FnOnce(bool) -> Vec<Bytes>,
    ) -> bool {
        let mut state = self.state.lock();
        match (state.at, from) {
            (None, _) if self.frames.receiver_count() == 0 => return true,
            // Old news.
            (Some((at, _)), _) if at >= snapshot => return true,
            (Some((at, _)), Some(from)) if at != from => return false,
            _ => {}
        }
        let known = state.at.replace((snapshot, attempt));
        let bodies = bodies(known.is_none_or(|(_, known)| known != attempt));
        if bodies.is_empty() {
            // The attempt may have changed nevertheless.
            let _ = self.frames.send(Frame::Rows {
                snapshot,
                attempt,
                body: Bytes::new(),
            });
        }
        for body in bodies {
            // No receiver left: nobody waits for it.
            let _ = self.frames.send(Frame::Rows {
                snapshot,
                attempt,
                body,
            });
        }
        true
    }

    /// Makes viewers read the rows anew.
    pub(super) fn stale(&self) {
        let _ = self.frames.send(Frame::Stale);
    }

    pub(super) fn open_episode(&self, attempt: Attempt) {
        let mut state = self.state.lock();
        state.open = true;
        state.episode = Some(Episode::new(attempt));
    }

    pub(super) fn close_episode(&self, attempt: Attempt) {
        let mut state = self.state.lock();
        if state.episode.as_ref().is_some_and(|e| e.attempt == attempt) {
            state.open = false;
            if self.frames.receiver_count() == 0 {
                state.episode = None;
            }
        }
    }

    /// Keeps parts and shows them.
    pub(super) fn show(&self, attempt: Attempt, first: i64, events: Vec<Bytes>) {
        let mut state = self.state.lock();
        let Some(episode) = state.episode.as_mut().filter(|e| e.attempt == attempt) else {
            return;
        };
        if self.frames.receiver_count() > 0 {
            for frame in frames(attempt, first, &events) {
                let _ = self.frames.send(frame);
            }
        }
        episode.extend(events);
    }

    /// Keeps and shows parts that another replica made; whether they go on where the last ended.
    /// Those that are known already are left out.
    pub(super) fn show_foreign(
        &self,
        attempt: Attempt,
        first: i64,
        mut events: Vec<Bytes>,
    ) -> bool {
        let mut state = self.state.lock();
        match &state.episode {
            Some(episode) if episode.attempt == attempt => {}
            // Old news.
            Some(episode) if episode.attempt > attempt => return true,
            _ => state.episode = Some(Episode::new(attempt)),
        }
        let Some(episode) = state.episode.as_mut() else {
            return true;
        };
        let known = i64::try_from(episode.events.len()).unwrap_or(i64::MAX);
        if first > known + 1 || first < 1 || episode.bytes > MAX_FOREIGN {
            return false;
        }
        let skip = usize::try_from(known + 1 - first).unwrap_or(0);
        events.drain(..skip.min(events.len()));
        if events.is_empty() {
            return true;
        }
        if self.frames.receiver_count() > 0 {
            for frame in frames(attempt, known + 1, &events) {
                let _ = self.frames.send(frame);
            }
        }
        episode.extend(events);
        true
    }

    /// The parts of an attempt behind `after`, and frames that follow them: to be called with a
    /// receiver at hand, whose frames up to the last of these are then known.
    pub(super) fn replay(&self, attempt: Attempt, after: i64) -> Vec<Frame> {
        let state = self.state.lock();
        let Some(episode) = state.episode.as_ref().filter(|e| e.attempt == attempt) else {
            return Vec::new();
        };
        let skip = usize::try_from(after)
            .unwrap_or(0)
            .min(episode.events.len());
        frames(attempt, after + 1, &episode.events[skip..])
    }

    /// Whether nobody needs the room any more.
    pub(super) fn is_idle(&self) -> bool {
        self.frames.receiver_count() == 0 && !self.state.lock().open
    }
}
