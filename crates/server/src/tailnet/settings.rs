//! What the options decide about relays and paths.

use std::sync::Arc;

use tunnel_proto::derp_map::DerpMap;

/// Relays and paths between peers.
#[derive(Debug, Clone)]
pub struct TailnetSettings {
    /// The embedded relay runs.
    pub relay: bool,
    /// Number of its region.
    pub region_id: u16,
    /// Short name of its region.
    pub region_code: String,
    /// Name of its region.
    pub region_name: String,
    /// STUN servers, `host:port`.
    pub stun_addresses: Vec<String>,
    /// UDP addresses where a STUN server listens.
    pub stun_listen: Vec<std::net::SocketAddr>,
    /// The administrator's own regions.
    pub own: DerpMap,
    /// Relays are reached by WebSocket only.
    pub force_websockets: bool,
    /// Peers only meet at relays.
    pub block_direct: bool,
    /// Clients get no tunnels; workspaces are reached through this server.
    pub browser_only: bool,
    /// How this server reaches relays and their map where they speak TLS.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl Default for TailnetSettings {
    /// As the options' defaults.
    fn default() -> Self {
        Self {
            relay: true,
            region_id: 999,
            region_code: "coder".to_owned(),
            region_name: "Coder Embedded Relay".to_owned(),
            stun_addresses: Vec::new(),
            stun_listen: Vec::new(),
            own: DerpMap::default(),
            force_websockets: false,
            block_direct: false,
            browser_only: false,
            tls: None,
        }
    }
}
