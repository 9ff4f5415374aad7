//! What a tunnel tells about itself: pings, peers, counters.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tunnel_proto::path::Via as PathVia;
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
