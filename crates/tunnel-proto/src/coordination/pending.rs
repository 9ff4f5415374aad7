//! What one connection is still to be told: at most one entry for each peer.
//!
//! A newer change of a peer replaces the one that waits, so a slow connection costs no more memory
//! than the peers it has tunnels to, and is never told something outdated.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

/// What happened to a peer.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<N> {
    /// Its node is this.
    Node(N),
    /// It left, or the tunnel to it is gone.
    Disconnected(&'static str),
    /// Its connection to the coordinator broke; the peer itself may live on.
    Lost(&'static str),
    /// It has programmed our node: handshakes will be answered.
    ReadyForHandshake,
}

/// A change, and the peer that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Update<N> {
    /// The peer.
    pub id: Uuid,
    /// What happened.
    pub change: Change<N>,
}

struct Entry<N> {
    change: Option<Change<N>>,
    ready: bool,
}

/// The queue of one connection.
pub(super) struct Pending<N> {
    order: VecDeque<Uuid>,
    entries: HashMap<Uuid, Entry<N>>,
}

impl<N> Pending<N> {
    pub(super) fn new() -> Self {
        Self {
            order: VecDeque::new(),
            entries: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Queues a change, replacing what it outdates.
    pub(super) fn push(&mut self, id: Uuid, change: Change<N>) {
        let entry = self.entries.entry(id).or_insert_with(|| {
            self.order.push_back(id);
            Entry {
                change: None,
                ready: false,
            }
        });
        match change {
            Change::ReadyForHandshake => entry.ready = true,
            other => {
                // Readiness for an older node of ours still counts; for a peer that is gone, not.
                if !matches!(other, Change::Node(_)) {
                    entry.ready = false;
                }
                entry.change = Some(other);
            }
        }
    }

    /// Takes up to `max` updates, oldest peers first.
    pub(super) fn take(&mut self, max: usize) -> Vec<Update<N>> {
        let mut updates = Vec::new();
        // An entry gives up to two updates.
        while updates.len() + 2 <= max {
            let Some(id) = self.order.pop_front() else {
                break;
            };
            let Some(entry) = self.entries.remove(&id) else {
                continue;
            };
            updates.extend(entry.change.map(|change| Update { id, change }));
            if entry.ready {
                updates.push(Update {
                    id,
                    change: Change::ReadyForHandshake,
                });
            }
        }
        updates
    }
}
