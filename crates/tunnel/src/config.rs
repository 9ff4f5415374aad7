//! What a tunnel connection is told when it is made.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use http::HeaderMap;
use tokio::io::DuplexStream;
use tunnel_proto::address;
use tunnel_proto::derp_map::DerpMap;
use url::Url;
use uuid::Uuid;

use crate::relay::Proxies;

/// Opens a connection to a relay inside this process: gives one end of a pipe, and the relay serves
/// the other.
pub type RelayInProcess = Arc<dyn Fn() -> DuplexStream + Send + Sync>;

/// How many connections an end may have at a time, half-open ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All of them.
    pub connections: usize,
    /// Those that this end began to one address of a peer: where an end is shared by many users,
    /// none of them takes the others' part.
    pub dialled_per_peer: usize,
}

impl Default for Limits {
    /// For an end of one user: several times the thousand terminals that one agent serves.
    fn default() -> Self {
        Self {
            connections: 4096,
            dialled_per_peer: 4096,
        }
    }
}

/// Settings of a [`crate::Conn`].
#[derive(Clone)]
pub struct Config {
    /// Identifier of this peer at the coordinator: an agent's own, or a random one.
    pub id: Uuid,
    /// Number of this node: for agents derived from the identifier.
    pub node_id: i64,
    /// Addresses inside the tunnel; the first is the source of dialled connections.
    pub addresses: Vec<Ipv6Addr>,
    /// URL by which the control plane is reached from here. Embedded relays are dialled there.
    pub base_url: Url,
    /// Headers sent with every request to a relay (values may be secrets: not printed).
    pub headers: HeaderMap,
    /// TLS settings for `https` relays. `None`: connecting to one is an error.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Proxies on the way to relays; by default those of the environment.
    pub proxies: Proxies,
    /// Relay regions known at the start; may be empty and come later.
    pub derp_map: DerpMap,
    /// Reach relays only by WebSocket.
    pub derp_force_websockets: bool,
    /// Where embedded relays are in this process, without a socket or HTTP between; for servers.
    pub relay_in_process: Option<RelayInProcess>,
    /// Publish no UDP endpoints, and go only through relays.
    pub block_endpoints: bool,
    /// UDP port for direct paths; 0 for any.
    pub udp_port: u16,
    /// Most connections.
    pub limits: Limits,
}

impl Config {
    /// Settings of an agent: both its addresses, and a node number from its identifier.
    pub fn agent(id: Uuid, base_url: Url) -> Self {
        let mut tail = [0; 8];
        tail.copy_from_slice(&id.as_bytes()[8..]);
        Self {
            addresses: address::agent(id).to_vec(),
            node_id: i64::from_be_bytes(tail).wrapping_abs(),
            ..Self::with_id(id, base_url)
        }
    }

    /// Settings of a client: a random identifier, its address and a random node number.
    pub fn client(base_url: Url) -> Self {
        Self::with_id(Uuid::new_v4(), base_url)
    }

    fn with_id(id: Uuid, base_url: Url) -> Self {
        Self {
            id,
            // Positive and never 0, which means "unset" to other peers.
            node_id: rand::random_range(1..i64::MAX),
            addresses: vec![address::tailnet(id)],
            base_url,
            headers: HeaderMap::new(),
            tls: None,
            proxies: Proxies::from_env(),
            derp_map: DerpMap::default(),
            derp_force_websockets: false,
            relay_in_process: None,
            block_endpoints: false,
            udp_port: 0,
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("id", &self.id)
            .field("addresses", &self.addresses)
            .field("base_url", &self.base_url.as_str())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("derp_force_websockets", &self.derp_force_websockets)
            .field("block_endpoints", &self.block_endpoints)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_have_two_addresses_and_a_fixed_number() {
        let id = Uuid::from_u128(0xffff_ffff_ffff_ffff);
        let config = Config::agent(id, "http://localhost:3000".parse().unwrap());
        assert_eq!((config.node_id, config.addresses.len()), (1, 2));
    }

    #[test]
    fn debug_hides_header_values() {
        let mut config = Config::client("http://localhost".parse().unwrap());
        config.headers.insert("x-secret", "hush".parse().unwrap());
        let text = format!("{config:?}");
        assert!(text.contains("x-secret") && !text.contains("hush"));
    }
}
