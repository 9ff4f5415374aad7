//! Who is connected, by key.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tunnel_proto::derp::{self, GoneReason};
use tunnel_proto::key::NodePublic;

use crate::outbox::Outbox;

/// Senders of a client that are told when it leaves; those beyond find out by themselves.
const MAX_SENDERS: usize = 4096;

/// How long a sender waits for a client that takes packets more slowly than they come. Then it
/// goes on, and packets are dropped.
const PATIENCE: Duration = Duration::from_millis(2);

/// The sending end of one connection.
pub(crate) struct Client {
    /// Unlike that of any other connection.
    pub(crate) id: u64,
    pub(crate) key: NodePublic,
    /// Whether packets for the key go to this connection.
    active: AtomicBool,
    outbox: Mutex<Outbox>,
    /// Rings when the outbox has something.
    pub(crate) ring: Notify,
    /// The outbox is nearly full: who sends to it should wait a little.
    pressed: AtomicBool,
    /// Waiting was in vain, and nothing was written since: not worth another wait.
    stuck: AtomicBool,
    /// Tells those who wait that there is room again.
    room: Notify,
    /// Who sent to this client.
    senders: Mutex<HashSet<NodePublic>>,
}

impl Client {
    /// Queues a control frame.
    pub(crate) fn push_control(&self, frame: Vec<u8>) {
        self.outbox.lock().push_control(frame);
        self.ring.notify_one();
    }

    /// Queues packets of `source`; true if its sender should wait for room before it sends more.
    pub(crate) fn push_packets<'p>(
        &self,
        source: NodePublic,
        disco: bool,
        packets: impl Iterator<Item = &'p [u8]>,
    ) -> bool {
        let (dropped, high) = {
            let mut outbox = self.outbox.lock();
            let dropped = outbox.push_packets(source, disco, packets);
            let high = outbox.is_high();
            if high {
                self.pressed.store(true, Ordering::Relaxed);
            }
            (dropped, high)
        };
        if dropped > 0 {
            tracing::trace!(to = ?self.key, from = ?source, dropped, "relay queue full");
        }
        self.ring.notify_one();
        high
    }

    /// Waits until there is room for more packets, but not for long: whoever does not read shall
    /// not hold back what its senders have for others.
    pub(crate) async fn wait_for_room(&self) {
        if self.stuck.load(Ordering::Relaxed) {
            return;
        }
        let room = self.room.notified();
        tokio::pin!(room);
        // Registered before the check, so that no call is missed.
        room.as_mut().enable();
        let waits = self.pressed.load(Ordering::Relaxed) && self.is_active();
        if waits && tokio::time::timeout(PATIENCE, room).await.is_err() {
            self.stuck.store(true, Ordering::Relaxed);
        }
    }

    /// True while packets for the key go to this connection.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Notes that `source` sends to this client.
    pub(crate) fn add_sender(&self, source: NodePublic) {
        let mut senders = self.senders.lock();
        if senders.len() < MAX_SENDERS {
            senders.insert(source);
        }
    }

    /// Moves waiting frames into `batch`, up to about `size` bytes.
    pub(crate) fn take(&self, batch: &mut Vec<u8>, size: usize) {
        let mut outbox = self.outbox.lock();
        outbox.take(batch, size);
        self.stuck.store(false, Ordering::Relaxed);
        if outbox.is_low() && self.pressed.swap(false, Ordering::Relaxed) {
            self.room.notify_waiters();
        }
        if batch.is_empty() {
            outbox.tighten();
        }
    }
}

/// The connections of every key; the last of a list is the active one.
#[derive(Default)]
pub(crate) struct Directory {
    clients: RwLock<HashMap<NodePublic, Vec<Arc<Client>>>>,
    next: AtomicU64,
}

impl Directory {
    /// Adds a connection of `key` and makes it the active one.
    pub(crate) fn join(&self, key: NodePublic) -> Arc<Client> {
        let client = Arc::new(Client {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            key,
            active: AtomicBool::new(true),
            outbox: Mutex::default(),
            ring: Notify::new(),
            pressed: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            room: Notify::new(),
            senders: Mutex::default(),
        });
        let mut clients = self.clients.write();
        let list = clients.entry(key).or_default();
        for other in list.iter() {
            other.active.store(false, Ordering::Relaxed);
        }
        list.push(Arc::clone(&client));
        client
    }

    /// Removes a connection; if it was the last of its key, its senders are told.
    pub(crate) fn leave(&self, client: &Client) {
        client.active.store(false, Ordering::Relaxed);
        client.room.notify_waiters();
        let gone = {
            let mut clients = self.clients.write();
            let Some(list) = clients.get_mut(&client.key) else {
                return;
            };
            list.retain(|other| other.id != client.id);
            if let Some(last) = list.last() {
                last.active.store(true, Ordering::Relaxed);
                false
            } else {
                clients.remove(&client.key);
                true
            }
        };
        if !gone {
            return;
        }
        let senders = std::mem::take(&mut *client.senders.lock());
        for sender in senders {
            if let Some(sender) = self.find(&sender) {
                let mut frame = Vec::new();
                derp::peer_gone(&mut frame, &client.key, GoneReason::Disconnected);
                sender.push_control(frame);
            }
        }
    }

    /// The connection that packets for `key` go to.
    pub(crate) fn find(&self, key: &NodePublic) -> Option<Arc<Client>> {
        self.clients.read().get(key)?.last().cloned()
    }

    /// Makes the connection that just sent something the active one of its key.
    pub(crate) fn touch(&self, client: &Client) {
        if client.active.load(Ordering::Relaxed) {
            return;
        }
        let mut clients = self.clients.write();
        if let Some(list) = clients.get_mut(&client.key)
            && let Some(at) = list.iter().position(|other| other.id == client.id)
        {
            let current = list.remove(at);
            for other in list.iter() {
                other.active.store(false, Ordering::Relaxed);
            }
            current.active.store(true, Ordering::Relaxed);
            list.push(current);
        }
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.clients.read().len()
    }
}
