//! Path discovery for all peers: disco messages in, disco messages out, and their timers.
//!
//! Only authentic messages of known peers have any effect. What comes directly and what comes by a
//! relay is told apart: a relay names the sender, an address on the Internet proves nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngCore;

use super::index::PeerIndex;
use super::table::{Identity, Peers};
use crate::disco::{self, Message, TransactionId};
use crate::key::{DiscoPublic, NodePublic};
use crate::path::{Answered, MAX_CANDIDATES, Probe, Via};

/// Our addresses are told to a peer only if they were looked up so lately: a translation on the
/// way forgets after 30 s.
pub const ENDPOINTS_FRESH: Duration = Duration::from_secs(27);
/// … or only so long, if nobody answered the question for them.
pub const ENDPOINTS_RETRY: Duration = Duration::from_secs(5);
/// Pings remembered to tell a repetition from another address. More than a busy peer sends in a
/// round; old ones make room.
const MAX_SEEN: usize = 256;
/// Most messages waiting to be sent; more are dropped as a network would.
const MAX_OUTBOX: usize = 4096;

/// First bytes of WireGuard's messages that name a session of the receiver.
const RESPONSE: u8 = 2;
const COOKIE: u8 = 3;
const DATA: u8 = 4;
/// A session's number is the peer's place, and in the lower bits which of its keys.
const SESSION_BITS: u32 = 8;

/// Where a discovery message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To this UDP address.
    Direct(SocketAddr),
    /// To the peer of this key, through this region's relay.
    Relay(u16, NodePublic),
}

/// A sealed discovery message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// To where.
    pub to: Destination,
    /// The datagram.
    pub packet: Vec<u8>,
}

/// What discovery knows besides each peer's path.
#[derive(Debug)]
pub(super) struct Discovery {
    /// This end's public keys: deriving them for each message would cost more than sealing it.
    node: NodePublic,
    disco: DiscoPublic,
    blocked: bool,
    /// Addresses at which this end may be reached.
    endpoints: Vec<SocketAddr>,
    fresh_until: Option<Instant>,
    /// Peers that are to be called when the addresses are fresh.
    callers: Vec<PeerIndex>,
    outbox: Vec<Transmit>,
    /// Whose authentic packets came from there last.
    sources: HashMap<SocketAddr, PeerIndex>,
    timers: BinaryHeap<Reverse<(Instant, PeerIndex)>>,
    seen: VecDeque<(TransactionId, SocketAddr)>,
}

impl Discovery {
    pub(super) fn new(identity: &Identity) -> Self {
        Self {
            node: identity.node.public(),
            disco: identity.disco.public(),
            blocked: false,
            endpoints: Vec::new(),
            fresh_until: None,
            callers: Vec::new(),
            outbox: Vec::new(),
            sources: HashMap::new(),
            timers: BinaryHeap::new(),
            seen: VecDeque::new(),
        }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The peer is gone; its packets came from `sources`.
    pub(super) fn forget(&mut self, index: PeerIndex, sources: &[SocketAddr]) {
        for source in sources {
            if self.sources.get(source) == Some(&index) {
                self.sources.remove(source);
            }
        }
        self.callers.retain(|known| *known != index);
    }

    /// Where a ping with this number came from first, if it was seen before.
    fn first_source(&mut self, transaction: TransactionId, from: SocketAddr) -> SocketAddr {
        if let Some((_, first)) = self.seen.iter().find(|(known, _)| *known == transaction) {
            return *first;
        }
        if self.seen.len() >= MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back((transaction, from));
        from
    }
}

impl Peers {
    /// Uses only relays (`true`), or direct paths too.
    pub fn set_direct_blocked(&mut self, blocked: bool) {
        self.discovery.blocked = blocked;
        for peer in self.table.values_mut() {
            peer.path.set_blocked(blocked);
        }
    }

    /// True if only relays are used.
    pub fn is_direct_blocked(&self) -> bool {
        self.discovery.blocked
    }

    /// The peer whose authentic packets came from `address` last.
    pub fn by_source(&self, address: SocketAddr) -> Option<PeerIndex> {
        self.discovery.sources.get(&address).copied()
    }

    /// The peer to whose session a WireGuard datagram is addressed.
    pub fn by_session(&self, datagram: &[u8]) -> Option<PeerIndex> {
        let receiver = match *datagram.first()? {
            RESPONSE => datagram.get(8..12)?,
            COOKIE | DATA => datagram.get(4..8)?,
            _ => return None,
        };
        let receiver = u32::from_le_bytes(*receiver.first_chunk()?);
        let index = PeerIndex(receiver >> SESSION_BITS);
        self.table.contains_key(&index).then_some(index)
    }

    /// Packets of the tunnel (`count`) go to the peer now: keeps its path alive.
    pub fn note_sent(&mut self, index: PeerIndex, count: u32, now: Instant, rng: &mut dyn RngCore) {
        if let Some(peer) = self.table.get_mut(&index)
            && peer.path.sent(count, now)
        {
            peer.path.handle_timeout(now, rng);
            self.drive(index, now, rng);
        }
    }

    /// An authentic packet of the tunnel came directly from `address`.
    pub fn note_heard(
        &mut self,
        index: PeerIndex,
        address: SocketAddr,
        now: Instant,
        rng: &mut dyn RngCore,
    ) {
        if let Some(peer) = self.table.get_mut(&index) {
            peer.path.heard_directly(address, now, rng);
            self.note_source(address, index);
            self.drive(index, now, rng);
        }
    }

    /// Authentic packets of the peer come from `address`.
    fn note_source(&mut self, address: SocketAddr, index: PeerIndex) {
        if self.discovery.sources.get(&address) == Some(&index) {
            return;
        }
        let Some(peer) = self.table.get_mut(&index) else {
            return;
        };
        if peer.sources.len() >= MAX_CANDIDATES {
            let oldest = peer.sources.remove(0);
            if self.discovery.sources.get(&oldest) == Some(&index) {
                self.discovery.sources.remove(&oldest);
            }
        }
        peer.sources.push(address);
        self.discovery.sources.insert(address, index);
    }

    /// A datagram to `address` could not be sent: no route, or forbidden.
    pub fn note_unreachable(&mut self, address: SocketAddr, now: Instant) {
        let all: Vec<PeerIndex> = self.table.keys().copied().collect();
        for index in all {
            if let Some(peer) = self.table.get_mut(&index)
                && peer.path.route(now).direct == Some(address)
            {
                peer.path.unreachable(address, now);
                self.reschedule(index);
            }
        }
    }

    /// Asks the peer for a pong on the way in use or, while no direct path is proven, on all.
    pub fn probe(&mut self, index: PeerIndex, now: Instant, rng: &mut dyn RngCore) {
        if let Some(peer) = self.table.get_mut(&index) {
            peer.path.probe(now, rng);
            self.drive(index, now, rng);
        }
    }

    /// The network of this end changed: paths are asked again, and our addresses looked up.
    pub fn network_changed(&mut self, now: Instant) {
        self.discovery.fresh_until = None;
        let all: Vec<PeerIndex> = self.table.keys().copied().collect();
        for index in all {
            if let Some(peer) = self.table.get_mut(&index) {
                peer.path.network_changed(now);
                self.reschedule(index);
            }
        }
    }

    /// True if a peer is to be called, and our addresses must be looked up before that.
    pub fn wants_endpoints(&self) -> bool {
        !self.discovery.callers.is_empty()
    }

    /// The addresses at which this end may be reached, to be told for `fresh`:
    /// [`ENDPOINTS_FRESH`] or [`ENDPOINTS_RETRY`]. Calls whoever waits.
    pub fn set_own_endpoints(
        &mut self,
        endpoints: Vec<SocketAddr>,
        fresh: Duration,
        now: Instant,
        rng: &mut dyn RngCore,
    ) {
        let news = endpoints
            .iter()
            .any(|endpoint| !self.discovery.endpoints.contains(endpoint));
        self.discovery.endpoints = endpoints;
        self.discovery.fresh_until = Some(now + fresh);
        if news {
            // Whoever was called with less, and cannot be reached by that, is called again.
            let again = self.table.iter().filter(|(_, peer)| {
                peer.path.route(now).relay.is_some()
                    && peer
                        .called
                        .is_some_and(|at| now.saturating_duration_since(at) < ENDPOINTS_FRESH)
            });
            for (&index, _) in again {
                if !self.discovery.callers.contains(&index) {
                    self.discovery.callers.push(index);
                }
            }
        }
        for index in std::mem::take(&mut self.discovery.callers) {
            self.call(index, now, rng);
        }
    }

    fn call(&mut self, index: PeerIndex, now: Instant, rng: &mut dyn RngCore) {
        if self.discovery.fresh_until.is_none_or(|until| until <= now) {
            if !self.discovery.callers.contains(&index) {
                self.discovery.callers.push(index);
            }
            return;
        }
        let Some(peer) = self.table.get_mut(&index) else {
            return;
        };
        peer.called = Some(now);
        let relay = peer.path.relay();
        if let Some(region) = relay {
            let message = Message::CallMeMaybe {
                candidates: self.discovery.endpoints.clone(),
            };
            self.transmit(index, Via::Relay(region), &message, rng);
        }
    }

    /// Seals what the path of `index` wants to say, and plans its next time.
    fn drive(&mut self, index: PeerIndex, now: Instant, rng: &mut dyn RngCore) {
        let Some(peer) = self.table.get_mut(&index) else {
            return;
        };
        for probe in peer.path.take_probes() {
            match probe {
                Probe::Ping { via, transaction } => {
                    let node = Some(self.discovery.node);
                    let message = Message::Ping { transaction, node };
                    self.transmit(index, via, &message, rng);
                }
                Probe::CallMeMaybe => self.call(index, now, rng),
            }
        }
        self.reschedule(index);
    }

    /// To be called after a change of a path from outside of this file.
    pub(super) fn reschedule(&mut self, index: PeerIndex) {
        if let Some(peer) = self.table.get_mut(&index)
            && let Some(due) = peer.path.next_deadline()
            && peer.path_timer.is_none_or(|at| due < at)
        {
            peer.path_timer = Some(due);
            self.discovery.timers.push(Reverse((due, index)));
        }
    }

    fn transmit(&mut self, index: PeerIndex, via: Via, message: &Message, rng: &mut dyn RngCore) {
        let Some(peer) = self.table.get(&index) else {
            return;
        };
        if self.discovery.outbox.len() >= MAX_OUTBOX {
            return;
        }
        let mut nonce = [0; disco::NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let packet = peer.disco.seal(&self.discovery.disco, nonce, message);
        let to = match via {
            Via::Direct(address) => Destination::Direct(address),
            Via::Relay(region) => Destination::Relay(region, peer.node.key),
        };
        self.discovery.outbox.push(Transmit { to, packet });
    }

    /// Takes the messages that are to be sent.
    pub fn take_transmits(&mut self) -> Vec<Transmit> {
        std::mem::take(&mut self.discovery.outbox)
    }

    /// Runs the paths whose time has come.
    pub fn handle_path_timeouts(&mut self, now: Instant, rng: &mut dyn RngCore) {
        while let Some(Reverse((due, index))) = self.discovery.timers.peek().copied()
            && due <= now
        {
            self.discovery.timers.pop();
            let Some(peer) = self.table.get_mut(&index) else {
                continue;
            };
            if peer.path_timer != Some(due) {
                continue;
            }
            peer.path_timer = None;
            if peer.path.next_deadline().is_some_and(|at| at <= now) {
                peer.path.handle_timeout(now, rng);
            }
            self.drive(index, now, rng);
        }
    }

    /// When [`Peers::handle_path_timeouts`] is due.
    pub fn next_path_deadline(&self) -> Option<Instant> {
        self.discovery.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes a disco message that came by `via`; by a relay, `relayed` is the peer that it names.
    /// Gives the peer and what was answered, if it is a pong that was waited for.
    pub fn receive_disco(
        &mut self,
        via: Via,
        relayed: Option<PeerIndex>,
        datagram: &[u8],
        now: Instant,
        rng: &mut dyn RngCore,
    ) -> Option<(PeerIndex, Answered)> {
        if self.discovery.blocked && matches!(via, Via::Direct(_)) {
            return None;
        }
        let index = self.by_disco(&disco::sender(datagram)?)?;
        if relayed.is_some_and(|named| named != index) {
            return None;
        }
        let peer = self.table.get_mut(&index)?;
        let answered = match (peer.disco.open(datagram)?, via) {
            (Message::Ping { transaction, node }, via) => {
                // The box proves the disco key; a ping that names another node is confused.
                if node.is_some_and(|node| node != peer.node.key) {
                    return None;
                }
                self.answer(index, transaction, via, now, rng);
                None
            }
            (Message::Pong { transaction, .. }, _) => {
                let answered = peer.path.pong(&transaction, now, rng)?;
                if let Via::Direct(address) = via {
                    self.note_source(address, index);
                }
                Some((index, answered))
            }
            (Message::CallMeMaybe { candidates }, Via::Relay(_)) => {
                peer.path.called(&candidates, now, rng);
                None
            }
            // Only a relay vouches for the sender of a call.
            (Message::CallMeMaybe { .. }, Via::Direct(_)) => None,
        };
        self.drive(index, now, rng);
        answered
    }

    fn answer(
        &mut self,
        index: PeerIndex,
        transaction: TransactionId,
        via: Via,
        now: Instant,
        rng: &mut dyn RngCore,
    ) {
        let source = match via {
            Via::Relay(region) => disco::relay_source(region),
            Via::Direct(address) => {
                // A ping is for one address: the same from elsewhere is a copy that somebody
                // else sends.
                if self.discovery.first_source(transaction, address) != address {
                    return;
                }
                if let Some(peer) = self.table.get_mut(&index) {
                    peer.path.pinged_from(address, now, rng);
                }
                self.note_source(address, index);
                address
            }
        };
        let pong = Message::Pong {
            transaction,
            source,
        };
        self.transmit(index, via, &pong, rng);
    }
}
