//! One end: discovery for its peer, questions to STUN servers, and packets that are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tunnel_proto::address;
use tunnel_proto::disco;
use tunnel_proto::key::{DiscoPrivate, NodePrivate, NodePublic};
use tunnel_proto::netcheck::{Lookup, StunServer};
use tunnel_proto::node::Node;
use tunnel_proto::path::{Route, Via};
use tunnel_proto::peers::{
    Destination, ENDPOINTS_FRESH, ENDPOINTS_RETRY, Identity, PeerIndex, PeerUpdateKind, Peers,
};
use tunnel_proto::stun;
use uuid::Uuid;

use super::network::Network;
use super::random::Random;

pub const REGION: u16 = 1;
/// Begins a packet of the tunnel, here without a cipher.
const DATA: u8 = 4;

pub struct End {
    pub number: usize,
    pub peers: Peers,
    pub peer: Option<PeerIndex>,
    identity: Identity,
    pub local: Vec<SocketAddr>,
    outside: Vec<SocketAddr>,
    lookup: Option<Lookup>,
    looking: bool,
    published: Vec<SocketAddr>,
    sent: u32,
    pub received: BTreeSet<u32>,
    rng: Random,
}

impl End {
    pub fn new(number: usize, local: Vec<SocketAddr>, rng: Random) -> Self {
        let seed = number as u8 + 1;
        let identity = Identity {
            node: NodePrivate::from_bytes([seed; 32]),
            disco: DiscoPrivate::from_bytes([seed + 100; 32]),
        };
        Self {
            number,
            peers: Peers::new(identity.clone(), 7),
            peer: None,
            identity,
            local,
            outside: Vec::new(),
            lookup: None,
            looking: false,
            published: Vec::new(),
            sent: 0,
            received: BTreeSet::new(),
            rng,
        }
    }

    pub fn key(&self) -> NodePublic {
        self.identity.node.public()
    }

    pub fn description(&self, endpoints: Vec<SocketAddr>) -> Node {
        let id = Uuid::from_u128(self.number as u128 + 1);
        Node {
            id: 1,
            key: self.key(),
            disco: self.identity.disco.public(),
            preferred_derp: REGION,
            derp_latency: BTreeMap::new(),
            derp_forced_websocket: BTreeMap::new(),
            addresses: vec![address::tailnet(id)],
            allowed_ips: vec![address::tailnet(id)],
            endpoints,
        }
    }

    /// Takes the other's description.
    pub fn introduce(&mut self, other: Node, now: Instant) {
        let id = Uuid::from_u128(u128::from(1 - self.number as u64) + 1);
        self.peers
            .apply(id, PeerUpdateKind::Node(Box::new(other)), now);
        self.peer = self.peers.by_id(id);
    }

    pub fn route(&self, now: Instant) -> Route {
        let peer = self.peer.and_then(|index| self.peers.get(index)).unwrap();
        peer.path.route(now)
    }

    /// Begins to look up our addresses, and tells what is known already.
    pub fn look_up(&mut self, network: &mut Network, now: Instant) {
        self.looking = true;
        self.publish(ENDPOINTS_FRESH, network, now);
        let servers: Vec<StunServer> = network
            .stun_servers
            .iter()
            .map(|&address| StunServer { region: 2, address })
            .collect();
        self.lookup = Some(Lookup::new(servers, false, now, &mut self.rng));
        self.flush(network, now);
    }

    fn publish(&mut self, fresh: Duration, network: &mut Network, now: Instant) {
        let mut endpoints = self.local.clone();
        endpoints.extend(&self.outside);
        endpoints.dedup();
        self.peers
            .set_own_endpoints(endpoints.clone(), fresh, now, &mut self.rng);
        if endpoints != self.published {
            self.published.clone_from(&endpoints);
            network.describe(1 - self.number, endpoints, now);
        }
    }

    /// The interfaces have other addresses now.
    pub fn moved(&mut self, local: Vec<SocketAddr>, network: &mut Network, now: Instant) {
        self.local = local;
        self.outside.clear();
        self.peers.network_changed(now);
        self.look_up(network, now);
    }

    /// Sends one packet of the tunnel.
    pub fn send_data(&mut self, network: &mut Network, now: Instant) {
        self.sent += 1;
        let mut packet = vec![DATA, self.number as u8];
        packet.extend(self.sent.to_be_bytes());
        let route = self.route(now);
        if let Some(address) = route.direct {
            self.send(address, &packet, network, now);
        }
        if route.relay.is_some() {
            network.relay(1 - self.number, packet, now);
        }
        let index = self.peer.unwrap();
        self.peers.note_sent(index, 1, now, &mut self.rng);
        self.flush(network, now);
    }

    pub fn sent(&self) -> u32 {
        self.sent
    }

    fn send(&mut self, to: SocketAddr, packet: &[u8], network: &mut Network, now: Instant) {
        let from = self
            .local
            .iter()
            .copied()
            .find(|local| local.is_ipv4() == to.is_ipv4());
        match from {
            Some(from) => network.send(from, to, packet, now),
            None => self.peers.note_unreachable(to, now),
        }
    }

    /// Sends what is to be sent.
    pub fn flush(&mut self, network: &mut Network, now: Instant) {
        for message in self.peers.take_transmits() {
            match message.to {
                Destination::Direct(address) => self.send(address, &message.packet, network, now),
                Destination::Relay(region, _) => {
                    assert_eq!(region, REGION);
                    network.relay(1 - self.number, message.packet, now);
                }
            }
        }
        if let Some(lookup) = &mut self.lookup {
            for (to, packet) in lookup.take_transmits() {
                self.send(to, &packet, network, now);
            }
        }
        if self.looking && self.lookup.as_ref().is_some_and(Lookup::is_finished) {
            self.looking = false;
            let lookup = self.lookup.as_ref().unwrap();
            let outside = lookup.endpoints(self.local.first().map(SocketAddr::port));
            let fresh = if outside.is_empty() {
                ENDPOINTS_RETRY
            } else {
                self.outside = outside;
                ENDPOINTS_FRESH
            };
            self.publish(fresh, network, now);
            self.flush(network, now);
        }
        if self.peers.wants_endpoints() && !self.looking {
            self.look_up(network, now);
        }
    }

    pub fn receive(&mut self, via: Via, data: &[u8], network: &mut Network, now: Instant) {
        let index = self.peer.unwrap();
        let relayed = matches!(via, Via::Relay(_)).then_some(index);
        if disco::is_disco(data) {
            self.peers
                .receive_disco(via, relayed, data, now, &mut self.rng);
        } else if stun::is_stun(data) {
            if let Some(lookup) = &mut self.lookup {
                lookup.receive(data, now, &mut self.rng);
            }
        } else if let [DATA, from, number @ ..] = data
            && usize::from(*from) == 1 - self.number
        {
            let number = u32::from_be_bytes(number.try_into().unwrap());
            // The cipher's window drops repetitions.
            if self.received.insert(number) {
                match via {
                    Via::Direct(address) => {
                        self.peers.note_heard(index, address, now, &mut self.rng);
                    }
                    Via::Relay(region) => {
                        let peer = self.peers.get_mut(index).unwrap();
                        peer.path.heard_on_relay(region);
                    }
                }
            }
        }
        self.flush(network, now);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        let lookup = self.lookup.as_ref().and_then(Lookup::next_deadline);
        [self.peers.next_path_deadline(), lookup]
            .into_iter()
            .flatten()
            .min()
    }

    pub fn handle_timeout(&mut self, network: &mut Network, now: Instant) {
        self.peers.handle_path_timeouts(now, &mut self.rng);
        if let Some(lookup) = &mut self.lookup
            && lookup.next_deadline().is_some_and(|due| due <= now)
        {
            lookup.handle_timeout(now, &mut self.rng);
        }
        self.flush(network, now);
    }
}
