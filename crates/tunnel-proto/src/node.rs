//! What a peer publishes about itself through the coordinator.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};

use crate::key::{DiscoPublic, NodePublic};

/// A peer's published description.
///
/// Addresses and allowed addresses are single hosts: on the wire each stands as `address/128`.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Number of the node: for agents the last eight bytes of the identifier.
    pub id: i64,
    /// WireGuard and relay identity.
    pub key: NodePublic,
    /// Seals path discovery.
    pub disco: DiscoPublic,
    /// Home relay region; 0 means that it is not known yet, and the node is not usable.
    pub preferred_derp: u16,
    /// Seconds to each region, by `<region>-v4` or `<region>-v6`.
    pub derp_latency: BTreeMap<String, f64>,
    /// Regions reached by WebSocket, with the reason. For display only.
    pub derp_forced_websocket: BTreeMap<u16, String>,
    /// Addresses inside the tunnel.
    pub addresses: Vec<Ipv6Addr>,
    /// Source addresses that the peer may use.
    pub allowed_ips: Vec<Ipv6Addr>,
    /// UDP addresses where the peer may be reached directly.
    pub endpoints: Vec<SocketAddr>,
}

impl Node {
    /// True when packets can be routed to the node: it has a key and a home relay.
    pub fn is_usable(&self) -> bool {
        !self.key.is_zero() && self.preferred_derp != 0
    }
}
