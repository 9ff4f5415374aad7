//! The state of one tunnel end: peers, connections, relay queues. No I/O.
//!
//! Everything runs in *turns*: whoever has something for the engine (a relay reader with a bundle
//! of frames, a stream's reader or writer, the timer) locks it once, calls in, and [`Engine::pump`]
//! turns what became due into sealed frames in the relay queues. What only tasks can do is left as
//! [`Action`]s for the caller.

mod direct;
mod flows;
mod links;
mod lookup;
mod pings;
mod ports;
mod receive;
#[cfg(test)]
mod tests;
mod timers;
mod udp;

use std::collections::{BinaryHeap, VecDeque};
use std::net::{Ipv6Addr, SocketAddr};
use std::task::Waker;
use std::time::Instant;

use tunnel_proto::key::NodePublic;
use tunnel_proto::netcheck::Lookup;
use tunnel_proto::peers::{Identity, PeerIndex, Peers};
use tunnel_proto::wireguard::Scratch;

use crate::status::Traffic;

pub(crate) use direct::DirectQueue;
pub(crate) use flows::{ConnectError, Flows};
pub(crate) use links::Links;
pub(crate) use pings::Pings;
pub(crate) use ports::{Accepted, Ports};
pub(crate) use udp::{Datagram, MAX_PAYLOAD as MAX_UDP_PAYLOAD, Udp};

/// Place of a connection. Valid while its stream exists.
pub(crate) type FlowId = usize;

/// What the engine asks tasks to do.
pub(crate) enum Action {
    /// Start the tasks of this region's relay connection.
    StartLink(u16),
    /// Wait until the socket for this address has room.
    StartWriter(SocketAddr),
    /// Take another turn: connections have more to send.
    GoOn,
    /// Look up the addresses at which this end may be reached: a peer is to be called.
    LookUp,
    /// The STUN servers answered, or will not any more.
    LookedUp,
    /// Ask the fallback about a connection request.
    Decide(crate::Inbound),
    /// A connection that was waited for is established.
    Accepted(FlowId, Accepted),
    /// A peer became active or went away.
    PeersChanged,
}

/// Gets each packet inside the tunnel as it is sent or received.
pub(crate) type Capture = Box<dyn FnMut(&[u8]) + Send>;

/// The state of one tunnel end.
pub(crate) struct Engine {
    /// Of the turn.
    time: Instant,
    pub(crate) addresses: Vec<Ipv6Addr>,
    pub(crate) peers: Peers,
    pub(crate) flows: Flows,
    pub(crate) links: Links,
    pub(crate) direct: DirectQueue,
    /// Bytes that the sockets keep until they are received.
    pub(crate) receive_room: usize,
    pub(crate) ports: Ports,
    pub(crate) pings: Pings,
    pub(crate) udp: Udp,
    pub(crate) traffic: Traffic,
    pub(crate) actions: Vec<Action>,
    /// Who waited for a stream and has something to do now. Woken after the turn, or they would
    /// wait for its end.
    pub(crate) woken: Vec<Waker>,
    /// When the timer task will wake up.
    pub(crate) armed: Option<Instant>,
    pub(crate) closed: bool,
    /// Another turn was asked for.
    goes_on: bool,
    tick_at: Option<Instant>,
    /// Packets sent and received until the last tick.
    moved_at_tick: u64,
    peers_at: Option<Instant>,
    flow_timers: BinaryHeap<timers::FlowTimer>,
    dirty: VecDeque<FlowId>,
    scratch: Option<Scratch>,
    /// Packets come in bundles of one peer. Holds until the peers change.
    last_source: Option<(NodePublic, PeerIndex)>,
    /// The last round of questions to STUN servers.
    pub(crate) lookup: Option<Lookup>,
    lookup_told: bool,
    checks: Vec<lookup::Check>,
    /// Our addresses are being looked up.
    looking_up: bool,
    /// Whose authentic packet of this batch was noted last.
    last_heard: Option<(PeerIndex, SocketAddr)>,
    /// Connections that wait while the path to their peer changes.
    switching: Vec<(PeerIndex, FlowId)>,
    /// Gets a copy of each packet inside the tunnel.
    pub(crate) capture: Option<Capture>,
}

impl Engine {
    /// An engine with new keys from the thread's generator.
    pub(crate) fn new(identity: Identity, addresses: Vec<Ipv6Addr>, now: Instant) -> Self {
        Self {
            time: now,
            addresses,
            peers: Peers::new(identity, rand::random()),
            flows: Flows::default(),
            links: Links::default(),
            direct: DirectQueue::default(),
            receive_room: usize::MAX,
            ports: Ports::default(),
            pings: Pings::default(),
            udp: Udp::default(),
            traffic: Traffic::default(),
            actions: Vec::new(),
            woken: Vec::new(),
            armed: None,
            closed: false,
            goes_on: false,
            tick_at: None,
            moved_at_tick: 0,
            peers_at: None,
            flow_timers: BinaryHeap::new(),
            dirty: VecDeque::new(),
            scratch: None,
            last_source: None,
            lookup: None,
            lookup_told: false,
            checks: Vec::new(),
            looking_up: false,
            last_heard: None,
            switching: Vec::new(),
            capture: None,
        }
    }

    /// A turn begins.
    pub(crate) fn set_time(&mut self, now: Instant) {
        self.time = now;
    }

    /// There is more to send than this turn should.
    pub(crate) fn go_on_later(&mut self) {
        if !std::mem::replace(&mut self.goes_on, true) {
            self.actions.push(Action::GoOn);
        }
    }

    /// The turn that [`Engine::go_on_later`] asked for has come.
    pub(crate) fn going_on(&mut self) {
        self.goes_on = false;
    }

    /// Resets all connections; streams find the tunnel closed.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.ports = Ports::default();
        self.pings = Pings::default();
        self.udp = Udp::default();
        self.abort_all();
    }

    /// Takes news of a peer.
    pub(crate) fn apply(&mut self, update: tunnel_proto::peers::PeerUpdate, now: Instant) {
        if let Some(index) = self.peers.apply(update.id, update.kind, now) {
            self.activated(index);
        }
        self.peers_changed(now);
    }

    /// To be called after any change of the peers.
    pub(crate) fn peers_changed(&mut self, now: Instant) {
        self.peers_at = self.peers.next_deadline();
        if self.peers.is_empty() {
            self.tick_at = None;
        } else {
            self.tick_at
                .get_or_insert(now + tunnel_proto::wireguard::TICK);
        }
        self.last_source = None;
        let departed = self.peers.take_departed();
        if !departed.is_empty() {
            self.abort_flows_with(&departed);
        }
        self.actions.push(Action::PeersChanged);
    }

    /// A dialled peer can be used from now on: the handshake need not wait for the first packet.
    fn activated(&mut self, index: PeerIndex) {
        let Some(peer) = self.peers.get(index) else {
            return;
        };
        if self.peers.is_destination(peer.id) && peer.session.since_handshake().is_none() {
            self.with_session(index, |session, out| session.initiate(out));
        }
    }

    /// Sends an IP packet to the peer at `index`.
    fn send_ip(&mut self, index: PeerIndex, packet: &[u8]) {
        if let Some(capture) = &mut self.capture {
            capture(packet);
        }
        self.traffic.tx_packets += 1;
        self.traffic.tx_bytes += packet.len() as u64;
        self.with_session(index, |session, out| session.seal(packet, out));
        self.path_used(index, 1);
    }
}
