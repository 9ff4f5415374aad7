//! What a tunnel tells about itself: pings, peers, counters.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tunnel_proto::netcheck::Report;
use tunnel_proto::path::{PathStatus, Via as PathVia};
use uuid::Uuid;

/// The way that packets to a peer take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Through the relay of a region.
    Relay(u16),
    /// Directly by UDP.
    Direct(SocketAddr),
}

impl From<PathVia> for Via {
    fn from(via: PathVia) -> Self {
        match via {
            PathVia::Relay(region) => Self::Relay(region),
            PathVia::Direct(address) => Self::Direct(address),
        }
    }
}

/// Answer to a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pong {
    /// Time there and back.
    pub latency: Duration,
    /// The way that the answer came.
    pub via: Via,
}

/// Why a ping had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// No peer of that identifier was announced, or it has no home relay yet.
    #[error("the peer is not known yet: it may not be connected to the control plane")]
    UnknownPeer,
    /// No answer in time.
    #[error("no answer from the peer in {} ms: it may be gone, or its relay out of reach", .0.as_millis())]
    Timeout(Duration),
    /// The tunnel was closed.
    #[error("the tunnel is closed")]
    Closed,
}

/// What is known of a peer.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Identifier at the coordinator.
    pub id: Uuid,
    /// Addresses inside the tunnel.
    pub addresses: Vec<Ipv6Addr>,
    /// Its home region.
    pub home_region: u16,
    /// The way that packets take now; `None` while the peer is not in use.
    pub via: Option<Via>,
    /// Time since the last handshake; `None` before the first.
    pub last_handshake: Option<Duration>,
    /// The coordinator lost sight of it.
    pub lost: bool,
    /// Addresses that it publishes.
    pub endpoints: Vec<SocketAddr>,
    /// Both ways to it, and what was tried.
    pub path: PathStatus,
}

/// What is known of this end and its peers.
#[derive(Debug, Clone)]
pub struct Status {
    /// The home region; `None` before the first choice.
    pub home_region: Option<u16>,
    /// Time to each region that was measured.
    pub region_latency: BTreeMap<u16, Duration>,
    /// Addresses that this end publishes.
    pub endpoints: Vec<SocketAddr>,
    /// This end uses relays only, because it was told so or has no UDP socket.
    pub direct_blocked: bool,
    /// What STUN servers said of the network; `None` before the first answer, or without servers.
    pub network: Option<Report>,
    /// The peers.
    pub peers: Vec<PeerStatus>,
}

impl Status {
    /// Why packets to `peer` go through a relay; `None` if they go directly, or if it is unknown.
    pub fn why_relayed(&self, peer: Uuid) -> Option<WhyRelayed> {
        let peer = self.peers.iter().find(|known| known.id == peer)?;
        if peer.path.route.direct.is_some() {
            return None;
        }
        Some(if self.direct_blocked {
            WhyRelayed::BlockedHere
        } else if peer.endpoints.is_empty() && peer.path.candidates.is_empty() {
            WhyRelayed::PeerHasNoEndpoints
        } else if peer.path.rounds < PATIENT_ROUNDS {
            WhyRelayed::StillTrying
        } else if self.network.as_ref().is_none_or(|network| !network.udp) {
            WhyRelayed::NoStun
        } else if self
            .network
            .as_ref()
            .is_some_and(|network| network.mapping_varies_by_destination == Some(true))
        {
            WhyRelayed::HardNat
        } else {
            WhyRelayed::NoAnswer(peer.path.candidates.len())
        })
    }
}

/// After so many rounds without an answer, something is in the way.
const PATIENT_ROUNDS: usize = 3;

/// Why packets to a peer go through a relay, in words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyRelayed {
    /// By an option of this end or of the deployment.
    #[error(
        "direct connections are disabled here, by an option or by the deployment, or no UDP socket \
         could be opened"
    )]
    BlockedHere,
    /// The other end offers no addresses.
    #[error("the workspace offers no addresses: direct connections are disabled there")]
    PeerHasNoEndpoints,
    /// The first attempts are under way.
    #[error("still looking for a direct path")]
    StillTrying,
    /// No STUN server answered, so nobody knows our address.
    #[error(
        "no STUN server answered: UDP may be blocked here, or the deployment has none \
         (--derp-server-stun-addresses), so that machines behind NAT cannot tell their addresses"
    )]
    NoStun,
    /// The translation here gives each destination another port.
    #[error(
        "the NAT of this network uses another port for each destination: nobody outside can be told \
         where to answer"
    )]
    HardNat,
    /// All addresses were tried.
    #[error(
        "none of the workspace's {0} addresses answered: a firewall drops UDP on the way, or both \
         ends are behind NAT of the hard kind"
    )]
    NoAnswer(usize),
}

/// Counters of a tunnel end. Bytes are those of packets inside the tunnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets received from peers.
    pub rx_packets: u64,
    /// Bytes received from peers.
    pub rx_bytes: u64,
    /// Packets sent to peers.
    pub tx_packets: u64,
    /// Bytes sent to peers.
    pub tx_bytes: u64,
    /// Packets for peers that were given up because their relay does not keep up.
    pub tx_dropped: u64,
    /// TCP connections opened or accepted.
    pub tcp_opened: u64,
    /// TCP connections open now.
    pub tcp_open: u64,
}
