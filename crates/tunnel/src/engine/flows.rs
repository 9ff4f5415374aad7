//! The table of connections, and the pump that turns what they want to send into sealed frames.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

use tunnel_proto::peers::PeerIndex;
use tunnel_proto::tcp::Segment;

use super::timers::FlowTimer;
use super::{Accepted, Action, Engine, FlowId};
use crate::config::Limits;
use crate::netstack::{Flow, FlowKey};

/// Bytes that one connection may send before the next has its turn.
const QUANTUM: usize = 64 << 10;
/// Timers are not finer than this.
const MIN_WAIT: Duration = Duration::from_millis(1);
/// First port for dialled connections (RFC 6335).
const FIRST_PORT: u16 = 49152;

pub(super) struct Entry {
    pub(super) flow: Flow,
    /// In the list of connections that may have something to send.
    dirty: bool,
    /// A stream owns it; otherwise it only delivers what is left.
    owned: bool,
    /// What to do once it is established.
    accepted: Option<Accepted>,
    /// Begun by this end.
    dialled: bool,
    /// The earliest entry in the timer heap.
    timer: Option<Instant>,
}

/// All connections.
#[derive(Default)]
pub(crate) struct Flows {
    table: Vec<Option<Box<Entry>>>,
    free: Vec<FlowId>,
    by_key: HashMap<FlowKey, FlowId>,
    last: Option<(FlowKey, FlowId)>,
    next_port: u16,
    limits: Limits,
    /// Those that this end began, by the address at their other end.
    dialled: HashMap<Ipv6Addr, BTreeSet<FlowId>>,
}

/// Why a connection cannot be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    /// This end has no address, or no port is free.
    #[error("no address or port of this end is free")]
    Address,
    /// The table is full.
    #[error("{0} connections are open, which is the most of this end: close some")]
    TooMany(usize),
    /// The peer has its share.
    #[error("{0} connections to this peer are open, which is the most: close some")]
    TooManyToPeer(usize),
}

impl Flows {
    /// Sets the bounds; connections beyond them stay.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The connection of these addresses.
    pub(super) fn find(&mut self, key: &FlowKey) -> Option<FlowId> {
        if let Some((last, id)) = self.last
            && last == *key
        {
            return Some(id);
        }
        let id = *self.by_key.get(key)?;
        self.last = Some((*key, id));
        Some(id)
    }

    pub(super) fn entry(&mut self, id: FlowId) -> Option<&mut Entry> {
        self.table.get_mut(id)?.as_deref_mut()
    }

    /// Connections in the table.
    pub(crate) fn count(&self) -> usize {
        self.table.len() - self.free.len()
    }

    /// Connections that are not over.
    pub(crate) fn count_open(&self) -> usize {
        let entries = self.table.iter().flatten();
        entries.filter(|entry| !entry.flow.is_over()).count()
    }

    /// Makes room for one more: of those that only wait for stray packets, one must go.
    fn make_room(&mut self) -> bool {
        if self.count() < self.limits.connections {
            return true;
        }
        let idle = (0..self.table.len()).find(|id| self.is_idle(*id));
        if let Some(id) = idle {
            self.remove(id);
        }
        idle.is_some()
    }

    /// Makes room for one more that this end begins to `remote`, in the same way.
    fn make_room_to(&mut self, remote: Ipv6Addr) -> bool {
        let Some(dialled) = self.dialled.get(&remote) else {
            return true;
        };
        if dialled.len() < self.limits.dialled_per_peer {
            return true;
        }
        let idle = dialled.iter().copied().find(|id| self.is_idle(*id));
        if let Some(id) = idle {
            self.remove(id);
        }
        idle.is_some()
    }

    fn is_idle(&self, id: FlowId) -> bool {
        let entry = self.table.get(id).and_then(Option::as_ref);
        entry.is_some_and(|entry| !entry.owned && entry.flow.is_over())
    }

    /// True while any connection has written bytes that were not acknowledged.
    pub(crate) fn is_sending(&self) -> bool {
        self.table
            .iter()
            .flatten()
            .any(|entry| entry.flow.is_sending())
    }

    /// `accepted`: what to do once it is established; none for those that this end begins.
    fn insert(&mut self, flow: Flow, accepted: Option<Accepted>) -> FlowId {
        let key = flow.key;
        let dialled = accepted.is_none();
        let entry = Box::new(Entry {
            flow,
            dirty: false,
            owned: dialled,
            accepted,
            dialled,
            timer: None,
        });
        let id = if let Some(id) = self.free.pop() {
            self.table[id] = Some(entry);
            id
        } else {
            self.table.push(Some(entry));
            self.table.len() - 1
        };
        self.by_key.insert(key, id);
        if dialled {
            self.dialled.entry(*key.remote.ip()).or_default().insert(id);
        }
        self.last = None;
        id
    }

    /// Takes the addresses away from a connection that is over, so that new ones may use them.
    fn unlist(&mut self, key: &FlowKey, id: FlowId) {
        if self.by_key.get(key) == Some(&id) {
            self.by_key.remove(key);
        }
        self.last = None;
    }

    fn remove(&mut self, id: FlowId) {
        if let Some(entry) = self.table.get_mut(id).and_then(Option::take) {
            let key = entry.flow.key;
            self.unlist(&key, id);
            self.free.push(id);
            if entry.dialled
                && let Some(dialled) = self.dialled.get_mut(key.remote.ip())
            {
                dialled.remove(&id);
                if dialled.is_empty() {
                    self.dialled.remove(key.remote.ip());
                }
            }
        }
    }

    /// A free local port for a connection to `remote`.
    fn free_port(&mut self, local: Ipv6Addr, remote: SocketAddrV6) -> Option<SocketAddrV6> {
        if self.next_port < FIRST_PORT {
            self.next_port = rand::random_range(FIRST_PORT..=u16::MAX);
        }
        for _ in FIRST_PORT..=u16::MAX {
            let local = SocketAddrV6::new(local, self.next_port, 0, 0);
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            if !self.by_key.contains_key(&FlowKey { local, remote }) {
                return Some(local);
            }
        }
        None
    }
}

impl Engine {
    /// Begins a connection to `remote`.
    pub(crate) fn connect(
        &mut self,
        remote: SocketAddrV6,
        now: Instant,
    ) -> Result<(FlowId, FlowKey), ConnectError> {
        let limits = self.flows.limits;
        if !self.flows.make_room_to(*remote.ip()) {
            return Err(ConnectError::TooManyToPeer(limits.dialled_per_peer));
        }
        if !self.flows.make_room() {
            return Err(ConnectError::TooMany(limits.connections));
        }
        let source = self.addresses.first().ok_or(ConnectError::Address)?;
        // Only addresses and port tell connections apart.
        let remote = SocketAddrV6::new(*remote.ip(), remote.port(), 0, 0);
        let key = FlowKey {
            local: self
                .flows
                .free_port(*source, remote)
                .ok_or(ConnectError::Address)?,
            remote,
        };
        let flow = Flow::connect(key, rand::random(), now);
        let id = self.flows.insert(flow, None);
        self.traffic.tcp_opened += 1;
        self.mark_dirty(id);
        Ok((id, key))
    }

    /// Answers the connection request `syn` of a peer.
    pub(crate) fn accept(
        &mut self,
        key: FlowKey,
        syn: &Segment<'_>,
        accepted: Accepted,
        now: Instant,
    ) {
        if self.flows.make_room() {
            let flow = Flow::accept(key, rand::random(), syn, now);
            let id = self.flows.insert(flow, Some(accepted));
            self.mark_dirty(id);
        }
    }

    /// Gives a segment to its connection; false if that is over and the segment asks for a new one.
    pub(super) fn feed(&mut self, id: FlowId, segment: &Segment<'_>, now: Instant) -> bool {
        let room = self.receive_room;
        let Some(entry) = self.flows.entry(id) else {
            return true;
        };
        if segment.opens() && entry.flow.is_over() {
            let (key, owned) = (entry.flow.key, entry.owned);
            if owned {
                self.flows.unlist(&key, id);
            } else {
                self.flows.remove(id);
            }
            return false;
        }
        entry.flow.handle(segment, room, now);
        self.mark_dirty(id);
        true
    }

    /// The connection may have something to send: looks at the next [`Engine::pump`].
    pub(crate) fn mark_dirty(&mut self, id: FlowId) {
        if let Some(entry) = self.flows.entry(id)
            && !entry.dirty
        {
            entry.dirty = true;
            // A key does not wait behind a copy. Each goes to the end once it has sent: no copy is
            // kept waiting by keys.
            if entry.flow.is_brief() {
                self.dirty.push_front(id);
            } else {
                self.dirty.push_back(id);
            }
        }
    }

    /// Runs `f` on a stream's connection.
    pub(crate) fn with_flow<R>(&mut self, id: FlowId, f: impl FnOnce(&mut Flow) -> R) -> Option<R> {
        let result = f(&mut self.flows.entry(id)?.flow);
        self.mark_dirty(id);
        Some(result)
    }

    /// The addresses of a connection.
    pub(crate) fn flow_key(&mut self, id: FlowId) -> Option<FlowKey> {
        Some(self.flows.entry(id)?.flow.key)
    }

    /// Resets every connection and wakes its stream.
    pub(super) fn abort_all(&mut self) {
        for id in 0..self.flows.table.len() {
            self.with_flow(id, Flow::abort);
        }
    }

    /// Resets the connections with peers that are gone.
    pub(super) fn abort_flows_with(&mut self, addresses: &[Ipv6Addr]) {
        for id in 0..self.flows.table.len() {
            let entry = self.flows.entry(id);
            if entry.is_some_and(|entry| addresses.contains(entry.flow.key.remote.ip())) {
                self.with_flow(id, Flow::abort);
            }
        }
    }

    /// The stream is gone.
    pub(crate) fn detach(&mut self, id: FlowId) {
        if let Some(entry) = self.flows.entry(id) {
            entry.owned = false;
            entry.flow.detach();
            self.mark_dirty(id);
        }
    }

    /// Lets connections with something to send do so, until all have or the relay queues are full.
    pub(crate) fn pump(&mut self, now: Instant) {
        while let Some(id) = self.dirty.pop_front() {
            let Some(entry) = self.flows.table.get_mut(id).and_then(Option::as_deref_mut) else {
                continue;
            };
            // Also while it may not send: whoever reads makes room.
            entry.flow.wake(&mut self.woken);
            let remote = *entry.flow.key.remote.ip();
            let peer = self.peers.by_address(&remote);
            if let Some(index) = peer
                && self.block_if_full(index, id, now)
            {
                // Stays marked until the queue is taken.
                continue;
            }
            self.pump_flow(id, peer, now);
        }
        self.wake_writers();
    }

    fn pump_flow(&mut self, id: FlowId, peer: Option<PeerIndex>, now: Instant) {
        let Some(mut entry) = self.flows.table.get_mut(id).and_then(Option::take) else {
            return;
        };
        entry.dirty = false;
        let (mut count, mut bytes) = (0u32, 0);
        let flow = &mut entry.flow;
        let mut capture = self.capture.take();
        let sent = peer.and_then(|index| {
            self.with_session(index, |session, out| {
                flow.transmit(QUANTUM, now, &mut |packet| {
                    if let Some(capture) = &mut capture {
                        capture(packet);
                    }
                    session.seal(packet, out);
                    count += 1;
                    bytes += packet.len() as u64;
                })
            })
        });
        self.capture = capture;
        // Packets to a peer that is gone are lost, as on any network.
        let more = sent.unwrap_or_else(|| flow.transmit(QUANTUM, now, &mut |_| {}));
        flow.wake(&mut self.woken);
        self.traffic.tx_packets += u64::from(count);
        self.traffic.tx_bytes += bytes;
        self.flows.table[id] = Some(entry);
        if let Some(index) = peer.filter(|_| count > 0) {
            self.path_used(index, count);
        }
        if more {
            self.mark_dirty(id);
        } else {
            self.settle(id, now);
        }
    }

    /// Draws the consequences of a connection's state, and sets its timer.
    fn settle(&mut self, id: FlowId, now: Instant) {
        let Some(entry) = self.flows.entry(id) else {
            return;
        };
        if entry.accepted.is_some() && entry.flow.is_established() {
            if let Some(accepted) = entry.accepted.take() {
                // Owned by the stream that the action makes.
                entry.owned = true;
                self.traffic.tcp_opened += 1;
                self.actions.push(Action::Accepted(id, accepted));
            }
        } else if !entry.owned
            && entry.accepted.is_none()
            && entry.flow.has_unread()
            && entry.flow.is_open()
        {
            entry.flow.abort();
            self.mark_dirty(id);
            return;
        }
        let Some(entry) = self.flows.entry(id) else {
            return;
        };
        if !entry.flow.is_open() {
            let key = entry.flow.key;
            if entry.owned {
                self.flows.unlist(&key, id);
            } else {
                self.flows.remove(id);
            }
            return;
        }
        let Some(due) = entry.flow.poll_timeout() else {
            return;
        };
        // Whatever is due now was just sent: give the clock a chance to move.
        let due = due.max(now + MIN_WAIT);
        if entry.timer.is_none_or(|timer| due < timer) {
            entry.timer = Some(due);
            self.flow_timers.push(FlowTimer { due, id });
        }
    }

    /// The timer of a connection fired.
    pub(super) fn flow_due(&mut self, timer: &FlowTimer) {
        if let Some(entry) = self.flows.entry(timer.id)
            && entry.timer == Some(timer.due)
        {
            entry.timer = None;
            self.mark_dirty(timer.id);
        }
    }
}
