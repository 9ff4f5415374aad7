//! The table of peers, found by identifier, node key, disco key or tunnel address.

use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;
use std::time::Instant;

use uuid::Uuid;

use super::discovery::Discovery;
use super::index::{IndexMap, PeerIndex};
use super::peer::{FIRST_RETRY, LAST_RETRY, Peer, Phase, READY_TIMEOUT};
use super::update::PeerUpdateKind;
use crate::disco::Shared;
use crate::key::{DiscoPrivate, DiscoPublic, NodePrivate, NodePublic};
use crate::node::Node;
use crate::path::Path;
use crate::wireguard::Session;

/// Most peers of one end: far above what one machine serves, so that a broken coordinator cannot
/// exhaust memory.
pub const MAX_PEERS: usize = 1 << 16;
/// Places are numbers of 24 bits: a session's number has 8 more.
const MAX_INDEX: u32 = 0x00ff_ffff;
/// Most source addresses taken from one peer: agents have two or three.
const MAX_ALLOWED_IPS: usize = 8;

/// The private keys of this end.
#[derive(Debug, Clone)]
pub struct Identity {
    /// WireGuard and relay identity.
    pub node: NodePrivate,
    /// For path discovery.
    pub disco: DiscoPrivate,
}

/// All peers.
#[derive(Debug)]
pub struct Peers {
    pub(super) identity: Identity,
    pub(super) table: IndexMap<Peer>,
    pub(super) discovery: Discovery,
    next_index: u32,
    by_id: HashMap<Uuid, PeerIndex>,
    by_node: HashMap<NodePublic, PeerIndex>,
    by_disco: HashMap<DiscoPublic, PeerIndex>,
    by_address: HashMap<Ipv6Addr, PeerIndex>,
    destinations: HashSet<Uuid>,
    /// Peers that were ready before they were described.
    ready_early: HashSet<Uuid>,
    departed: Vec<Ipv6Addr>,
}

impl Peers {
    /// An empty table. `first_index` should be random: it begins the numbering of sessions.
    pub fn new(identity: Identity, first_index: u32) -> Self {
        Self {
            discovery: Discovery::new(&identity),
            identity,
            table: IndexMap::default(),
            next_index: first_index & MAX_INDEX,
            by_id: HashMap::new(),
            by_node: HashMap::new(),
            by_disco: HashMap::new(),
            by_address: HashMap::new(),
            destinations: HashSet::new(),
            ready_early: HashSet::new(),
            departed: Vec::new(),
        }
    }

    /// This end's keys.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Marks `id` as a peer that this end dials.
    pub fn add_destination(&mut self, id: Uuid) {
        if self.destinations.len() < MAX_PEERS {
            self.destinations.insert(id);
        }
    }

    /// True if this end dials `id`.
    pub fn is_destination(&self, id: Uuid) -> bool {
        self.destinations.contains(&id)
    }

    /// This end dials `id` no more: forgets it.
    pub fn remove_destination(&mut self, id: Uuid) {
        self.destinations.remove(&id);
        self.remove(id);
    }

    /// Takes news of a peer. Gives the peer if it became active by them.
    pub fn apply(&mut self, id: Uuid, kind: PeerUpdateKind, now: Instant) -> Option<PeerIndex> {
        match kind {
            PeerUpdateKind::Node(node) => self.describe(id, *node, now),
            PeerUpdateKind::Disconnected => {
                self.remove(id);
                None
            }
            PeerUpdateKind::Lost => {
                if let Some(peer) = self.by_id.get(&id).and_then(|at| self.table.get_mut(at)) {
                    peer.lost_since.get_or_insert(now);
                }
                None
            }
            PeerUpdateKind::ReadyForHandshake => self.ready(id, now),
        }
    }

    /// The coordinator is out of reach: every peer counts as lost.
    pub fn mark_all_lost(&mut self, now: Instant) {
        for peer in self.table.values_mut() {
            peer.lost_since.get_or_insert(now);
        }
    }

    fn describe(&mut self, id: Uuid, node: Node, now: Instant) -> Option<PeerIndex> {
        if !node.is_usable() || node.key == self.identity.node.public() {
            return None;
        }
        let known = self.by_id.get(&id).copied();
        if let Some(index) = known
            && let Some(peer) = self.table.get_mut(&index)
            && peer.node.key == node.key
            && peer.node.disco == node.disco
        {
            peer.lost_since = None;
            peer.path.set_home(node.preferred_derp);
            peer.path.set_endpoints(&node.endpoints, now);
            if peer.node.allowed_ips != node.allowed_ips {
                release(&mut self.by_address, index, &peer.node.allowed_ips);
                claim(&mut self.by_address, index, &node.allowed_ips);
            }
            peer.node = node;
            self.reschedule(index);
            return None;
        }
        // New, or the same peer after a restart with new keys: its old session is worthless.
        let destination = self.destinations.contains(&id);
        let wait = destination && !self.ready_early.remove(&id);
        self.remove(id);
        if let Some(&holder) = self.by_node.get(&node.key) {
            // The same process: its connections go on.
            self.take_out(self.superseded(holder, &node)?);
        }
        if self.table.len() >= MAX_PEERS {
            return None;
        }
        let index = self.free_index();
        let mut path = Path::default();
        path.set_home(node.preferred_derp);
        path.set_blocked(self.discovery.is_blocked());
        path.set_endpoints(&node.endpoints, now);
        claim(&mut self.by_address, index, &node.allowed_ips);
        self.by_id.insert(id, index);
        self.by_node.insert(node.key, index);
        self.by_disco.entry(node.disco).or_insert(index);
        let session = Session::new(&self.identity.node, &node.key, index.0, destination);
        let disco = Shared::new(&self.identity.disco, &node.disco);
        let phase = if wait {
            Phase::WaitingUntil(now + READY_TIMEOUT)
        } else {
            Phase::Active
        };
        let peer = Peer {
            id,
            node,
            session,
            disco,
            path,
            path_timer: None,
            sources: Vec::new(),
            called: None,
            phase,
            lost_since: None,
            retry: (destination && !wait).then_some((now + FIRST_RETRY, FIRST_RETRY)),
        };
        self.table.insert(index, peer);
        (!wait).then_some(index)
    }

    /// The next place that nobody has. There are far more places than peers.
    fn free_index(&mut self) -> PeerIndex {
        loop {
            let index = PeerIndex(self.next_index);
            self.next_index = (self.next_index + 1) & MAX_INDEX;
            if !self.table.contains_key(&index) {
                return index;
            }
        }
    }

    /// The identifier of `holder` if `node`, which has the same key, may take its place: the same
    /// process came back under another identifier. Otherwise somebody claims a key of another.
    fn superseded(&self, holder: PeerIndex, node: &Node) -> Option<Uuid> {
        let peer = self.table.get(&holder)?;
        (peer.is_lost() || peer.node.allowed_ips == node.allowed_ips).then_some(peer.id)
    }

    fn ready(&mut self, id: Uuid, now: Instant) -> Option<PeerIndex> {
        if let Some(&index) = self.by_id.get(&id) {
            return self.activate(index, now).then_some(index);
        }
        if self.destinations.contains(&id) {
            self.ready_early.insert(id);
        }
        None
    }

    /// Makes a waiting peer active; true if it was waiting.
    pub fn activate(&mut self, index: PeerIndex, now: Instant) -> bool {
        match self.table.get_mut(&index) {
            Some(peer) if peer.phase != Phase::Active => {
                peer.phase = Phase::Active;
                peer.retry = Some((now + FIRST_RETRY, FIRST_RETRY));
                true
            }
            _ => false,
        }
    }

    /// Forgets a peer; whoever had its addresses is not coming back.
    fn remove(&mut self, id: Uuid) {
        if let Some(peer) = self.take_out(id) {
            self.departed.extend(peer.node.allowed_ips);
        }
    }

    fn take_out(&mut self, id: Uuid) -> Option<Peer> {
        self.ready_early.remove(&id);
        let index = self.by_id.remove(&id)?;
        let peer = self.table.remove(&index)?;
        self.by_node.remove(&peer.node.key);
        if self.by_disco.get(&peer.node.disco) == Some(&index) {
            self.by_disco.remove(&peer.node.disco);
        }
        release(&mut self.by_address, index, &peer.node.allowed_ips);
        self.discovery.forget(index, &peer.sources);
        Some(peer)
    }

    /// Addresses whose owners left or began anew since the last call: connections with them are
    /// dead.
    pub fn take_departed(&mut self) -> Vec<Ipv6Addr> {
        std::mem::take(&mut self.departed)
    }

    /// Forgets lost peers. Gives those to send a handshake to, now: their time to get ready is
    /// over, or their first handshake had no answer.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<PeerIndex> {
        let forgotten: Vec<Uuid> = self
            .table
            .values()
            .filter(|peer| peer.forget_at(now).is_some_and(|at| at <= now))
            .map(|peer| peer.id)
            .collect();
        for id in forgotten {
            // It may still come back, a laptop after a night: its connections are left alone.
            self.take_out(id);
        }
        let mut due = Vec::new();
        for (&index, peer) in &mut self.table {
            if let Phase::WaitingUntil(at) = peer.phase
                && at <= now
            {
                peer.phase = Phase::Active;
                peer.retry = Some((now + FIRST_RETRY, FIRST_RETRY));
                due.push(index);
            } else if let Some((at, wait)) = peer.retry
                && at <= now
            {
                if peer.session.since_handshake().is_some() {
                    peer.retry = None;
                    continue;
                }
                let wait = wait * 2;
                peer.retry = (wait <= LAST_RETRY).then_some((now + wait, wait));
                due.push(index);
            }
        }
        due
    }

    /// When [`Peers::handle_timeout`] is due. Lost peers are checked at any later timeout.
    pub fn next_deadline(&self) -> Option<Instant> {
        let due = self.table.values().filter_map(|peer| match peer.phase {
            Phase::WaitingUntil(at) => Some(at),
            Phase::Active => peer.retry.map(|(at, _)| at),
        });
        due.min()
    }

    /// The peer at `index`.
    pub fn get(&self, index: PeerIndex) -> Option<&Peer> {
        self.table.get(&index)
    }

    /// The peer at `index`, to change.
    pub fn get_mut(&mut self, index: PeerIndex) -> Option<&mut Peer> {
        self.table.get_mut(&index)
    }

    /// Place of the peer with this identifier.
    pub fn by_id(&self, id: Uuid) -> Option<PeerIndex> {
        self.by_id.get(&id).copied()
    }

    /// Place of the peer with this node key.
    pub fn by_node(&self, key: &NodePublic) -> Option<PeerIndex> {
        self.by_node.get(key).copied()
    }

    /// Place of the peer with this disco key.
    pub fn by_disco(&self, key: &DiscoPublic) -> Option<PeerIndex> {
        self.by_disco.get(key).copied()
    }

    /// Place of the peer that owns this tunnel address.
    pub fn by_address(&self, address: &Ipv6Addr) -> Option<PeerIndex> {
        self.by_address.get(address).copied()
    }

    /// All peers with their places.
    pub fn iter(&self) -> impl Iterator<Item = (PeerIndex, &Peer)> {
        self.table.iter().map(|(&index, peer)| (index, peer))
    }

    /// All peers, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PeerIndex, &mut Peer)> {
        self.table.iter_mut().map(|(&index, peer)| (index, peer))
    }

    /// True without peers.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

/// Gives the addresses to the peer. An address stays with whom has it: a peer cannot take over
/// another's by claiming it too.
fn claim(by_address: &mut HashMap<Ipv6Addr, PeerIndex>, index: PeerIndex, allowed: &[Ipv6Addr]) {
    for address in allowed.iter().take(MAX_ALLOWED_IPS) {
        by_address.entry(*address).or_insert(index);
    }
}

/// Undoes [`claim`].
fn release(by_address: &mut HashMap<Ipv6Addr, PeerIndex>, index: PeerIndex, allowed: &[Ipv6Addr]) {
    for address in allowed.iter().take(MAX_ALLOWED_IPS) {
        if by_address.get(address) == Some(&index) {
            by_address.remove(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::super::peer::LOST_TIMEOUT;
    use super::*;

    fn table() -> Peers {
        let node = NodePrivate::from_bytes([1; 32]);
        Peers::new(
            Identity {
                node,
                disco: DiscoPrivate::from_bytes([2; 32]),
            },
            7,
        )
    }

    fn node(n: u8) -> Node {
        Node {
            id: i64::from(n),
            key: NodePublic([n; 32]),
            disco: DiscoPublic([n; 32]),
            preferred_derp: 1,
            derp_latency: BTreeMap::new(),
            derp_forced_websocket: BTreeMap::new(),
            addresses: vec![address(n)],
            allowed_ips: vec![address(n)],
            endpoints: vec![],
        }
    }

    fn address(n: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd7a, 0, 0, 0, 0, 0, 0, u16::from(n))
    }

    fn id(n: u8) -> Uuid {
        Uuid::from_u128(u128::from(n))
    }

    fn described(n: u8) -> PeerUpdateKind {
        PeerUpdateKind::Node(Box::new(node(n)))
    }

    #[test]
    fn sources_are_active_at_once_destinations_when_ready_or_after_5_s() {
        let (mut peers, now) = (table(), Instant::now());
        assert!(peers.apply(id(10), described(10), now).is_some());
        peers.add_destination(id(11));
        peers.add_destination(id(12));
        assert_eq!(peers.apply(id(11), described(11), now), None);
        assert_eq!(peers.apply(id(12), described(12), now), None);
        let ready = peers
            .apply(id(11), PeerUpdateKind::ReadyForHandshake, now)
            .unwrap();
        assert_eq!(peers.by_id(id(11)), Some(ready));
        assert_eq!(
            peers.apply(id(11), PeerUpdateKind::ReadyForHandshake, now),
            None
        );
        assert_eq!(peers.next_deadline(), Some(now + FIRST_RETRY));
        let due = peers.handle_timeout(now + FIRST_RETRY);
        assert_eq!(due, [ready], "the handshake is repeated");
        assert_eq!(peers.next_deadline(), Some(now + FIRST_RETRY * 3));
        for retry in [3, 7, 15] {
            assert_eq!(peers.handle_timeout(now + FIRST_RETRY * retry), [ready]);
        }
        let waiting = peers.by_id(id(12)).unwrap();
        assert!(!peers.get(waiting).unwrap().is_active());
        assert_eq!(peers.next_deadline(), Some(now + READY_TIMEOUT));
        let due = peers.handle_timeout(now + READY_TIMEOUT);
        assert_eq!(due, [waiting]);
        assert!(peers.get(waiting).unwrap().is_active());
    }

    #[test]
    fn ready_may_come_before_the_description() {
        let (mut peers, now) = (table(), Instant::now());
        peers.add_destination(id(10));
        assert_eq!(
            peers.apply(id(10), PeerUpdateKind::ReadyForHandshake, now),
            None
        );
        assert!(peers.apply(id(10), described(10), now).is_some());
    }

    #[test]
    fn lost_peers_stay_15_minutes_unless_they_return() {
        let (mut peers, now) = (table(), Instant::now());
        for n in [10, 11] {
            peers.apply(id(n), described(n), now);
            peers.apply(id(n), PeerUpdateKind::Lost, now);
        }
        peers.apply(id(11), described(11), now);
        peers.handle_timeout(now + Duration::from_mins(14));
        assert!(peers.by_id(id(10)).is_some());
        peers.handle_timeout(now + LOST_TIMEOUT);
        assert_eq!(peers.by_id(id(10)), None);
        assert!(peers.by_id(id(11)).is_some());
        peers.apply(id(11), PeerUpdateKind::Disconnected, now);
        assert!(peers.is_empty() && peers.by_address(&address(11)).is_none());
        assert_eq!(
            peers.take_departed(),
            [address(11)],
            "a lost peer may come back"
        );
        assert!(peers.take_departed().is_empty());
    }

    #[test]
    fn new_keys_are_a_new_session() {
        let (mut peers, now) = (table(), Instant::now());
        peers.add_destination(id(10));
        peers.apply(id(10), described(10), now);
        peers.apply(id(10), PeerUpdateKind::ReadyForHandshake, now);
        let first = peers.by_id(id(10)).unwrap();
        let mut restarted = node(10);
        restarted.key = NodePublic([99; 32]);
        peers.apply(id(10), PeerUpdateKind::Node(Box::new(restarted)), now);
        let second = peers.by_id(id(10)).unwrap();
        assert_ne!(first, second);
        assert!(!peers.get(second).unwrap().is_active(), "waits again");
        assert_eq!(peers.take_departed(), [address(10)]);
        assert_eq!(peers.by_node(&NodePublic([10; 32])), None);
    }

    #[test]
    fn addresses_and_keys_cannot_be_taken_over() {
        let (mut peers, now) = (table(), Instant::now());
        let owner = peers.apply(id(10), described(10), now).unwrap();
        let mut thief = node(11);
        thief.allowed_ips = vec![address(10), address(11)];
        peers.apply(id(11), PeerUpdateKind::Node(Box::new(thief)), now);
        assert_eq!(peers.by_address(&address(10)), Some(owner));
        let mut claimant = node(10);
        claimant.allowed_ips = vec![address(12)];
        let claim = PeerUpdateKind::Node(Box::new(claimant));
        assert_eq!(
            peers.apply(id(12), claim.clone(), now),
            None,
            "key of another"
        );
        assert_eq!(peers.by_node(&NodePublic([10; 32])), Some(owner));
        // A lost peer may come back under another identifier.
        peers.apply(id(10), PeerUpdateKind::Lost, now);
        assert!(peers.apply(id(12), claim, now).is_some());
        assert!(peers.take_departed().is_empty());
        assert_eq!(peers.by_id(id(10)), None);
    }

    #[test]
    fn unusable_descriptions_are_ignored() {
        let (mut peers, now) = (table(), Instant::now());
        for change in [
            |node: &mut Node| node.preferred_derp = 0,
            |node: &mut Node| node.key = NodePublic::default(),
            |node: &mut Node| node.key = NodePrivate::from_bytes([1; 32]).public(),
        ] {
            let mut node = node(10);
            change(&mut node);
            assert_eq!(
                peers.apply(id(10), PeerUpdateKind::Node(Box::new(node)), now),
                None
            );
        }
        assert!(peers.is_empty());
    }
}
