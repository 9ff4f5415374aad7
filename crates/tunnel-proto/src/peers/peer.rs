//! One peer: what it published, and how far its tunnel is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::disco::Shared;
use crate::node::Node;
use crate::path::Path;
use crate::wireguard::Session;

/// A dialled peer that never says it is ready is tried after so long.
pub const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// A lost peer is forgotten so long after its last handshake.
pub const LOST_TIMEOUT: Duration = Duration::from_mins(15);

/// A first handshake without an answer is repeated after so long, then after twice as long and so
/// on: the peer may just be connecting to its relay.
pub const FIRST_RETRY: Duration = Duration::from_millis(250);
/// From here on the session's own timer repeats it.
pub(super) const LAST_RETRY: Duration = Duration::from_secs(2);

/// How far the tunnel to a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Announced, but it may not know us yet: a handshake might be lost. Begins at this time.
    WaitingUntil(Instant),
    /// In use.
    Active,
}

/// A peer whose description is known.
#[derive(Debug)]
pub struct Peer {
    /// Identifier at the coordinator.
    pub id: Uuid,
    /// What it published last.
    pub node: Node,
    /// Its WireGuard session.
    pub session: Session,
    /// The secret with its disco key.
    pub disco: Shared,
    /// The way to it.
    pub path: Path,
    /// The entry in the heap of timers that counts.
    pub(super) path_timer: Option<Instant>,
    /// Where its authentic packets came from, the last ones.
    pub(super) sources: Vec<SocketAddr>,
    /// When it was last told our addresses.
    pub(super) called: Option<Instant>,
    pub(super) phase: Phase,
    pub(super) lost_since: Option<Instant>,
    /// When to repeat the first handshake, and how long the wait was.
    pub(super) retry: Option<(Instant, Duration)>,
}

impl Peer {
    /// True when packets may be sent to it.
    pub fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// True when the coordinator lost sight of it.
    pub fn is_lost(&self) -> bool {
        self.lost_since.is_some()
    }

    /// When a lost peer is to be forgotten.
    pub(super) fn forget_at(&self, now: Instant) -> Option<Instant> {
        let lost_since = self.lost_since?;
        let last_seen = self
            .session
            .since_handshake()
            .and_then(|ago| now.checked_sub(ago))
            .unwrap_or(lost_since);
        Some(last_seen + LOST_TIMEOUT)
    }
}
