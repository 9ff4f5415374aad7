//! Sessions remembered for a few seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use uuid::Uuid;

use super::Session;

/// How long a session is remembered: the bound on harm should an announcement
/// get lost, and long enough that a busy client costs no queries.
const REMEMBER: Duration = Duration::from_secs(5);
/// Sessions remembered at most, a few kilobytes each; beyond, all are forgotten.
const MAX: usize = 4096;

/// Remembered sessions by key id.
#[derive(Default)]
pub(crate) struct Cache {
    sessions: RwLock<HashMap<String, (Instant, Arc<Session>)>>,
    /// Counts forgettings: what was read before one must not be put after it.
    generation: AtomicU64,
}

impl Cache {
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(crate) fn get(&self, key_id: &str) -> Option<Arc<Session>> {
        let sessions = self.sessions.read();
        let (since, session) = sessions.get(key_id)?;
        (since.elapsed() < REMEMBER).then(|| session.clone())
    }

    /// Remembers a session read when the generation was `read_at`.
    pub(crate) fn put(&self, read_at: u64, session: Arc<Session>) {
        let mut sessions = self.sessions.write();
        if self.generation() != read_at {
            return;
        }
        if sessions.len() >= MAX {
            sessions.clear();
        }
        sessions.insert(session.key_id.clone(), (Instant::now(), session));
    }

    /// Forgets the sessions of a user, or all.
    pub(crate) fn forget(&self, user: Option<Uuid>) {
        let mut sessions = self.sessions.write();
        self.generation.fetch_add(1, Ordering::SeqCst);
        match user {
            Some(user) => sessions.retain(|_, (_, session)| session.user.id != user),
            None => sessions.clear(),
        }
    }
}
