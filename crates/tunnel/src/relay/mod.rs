//! Connections to relays: dialling, the greeting, the tasks that read and write, and the choice of
//! the home region.

mod dial;
mod home;
mod http;
mod latency;
mod link;
mod proxy;
mod socks;
mod tls;
mod websocket;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::HeaderMap;
use parking_lot::Mutex;
use tunnel_proto::derp_map::BaseAddress;
use tunnel_proto::key::NodePrivate;
use url::Url;

pub(crate) use home::{choose_now, run_home};
pub(crate) use link::run_link;
pub use proxy::Proxies;

/// Connecting to a relay, greeting included, takes at most this.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// What every relay connection needs.
pub(crate) struct Relays {
    pub(crate) node: NodePrivate,
    pub(crate) headers: HeaderMap,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) base: Option<BaseAddress>,
    proxies: Proxies,
    in_process: Option<crate::RelayInProcess>,
    force_websocket: AtomicBool,
    /// Regions that refused the plain upgrade: something on the way knows only WebSockets.
    websocket_regions: Mutex<HashSet<u16>>,
}

impl Relays {
    pub(crate) fn new(config: &crate::Config, node: NodePrivate) -> Self {
        // A server that offers HTTP/2 would not understand an upgrade.
        let tls = config.tls.as_ref().map(|tls| {
            let mut tls = rustls::ClientConfig::clone(tls);
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(tls)
        });
        Self {
            node,
            headers: config.headers.clone(),
            tls,
            base: base_address(&config.base_url),
            proxies: config.proxies.clone(),
            in_process: config.relay_in_process.clone(),
            force_websocket: AtomicBool::new(config.derp_force_websockets),
            websocket_regions: Mutex::default(),
        }
    }

    pub(crate) fn set_force_websocket(&self, force: bool) {
        self.force_websocket.store(force, Ordering::Relaxed);
    }

    fn uses_websocket(&self, region: u16) -> bool {
        self.force_websocket.load(Ordering::Relaxed)
            || self.websocket_regions.lock().contains(&region)
    }

    fn remember_websocket(&self, region: u16) {
        self.websocket_regions.lock().insert(region);
    }

    /// Regions reached by WebSocket, for the published description.
    pub(crate) fn websocket_regions(&self) -> Vec<u16> {
        self.websocket_regions.lock().iter().copied().collect()
    }
}

/// Host, port and scheme of the control plane's URL.
fn base_address(url: &Url) -> Option<BaseAddress> {
    let host = match url.host()? {
        url::Host::Domain(name) => name.to_owned(),
        url::Host::Ipv4(ip) => ip.to_string(),
        url::Host::Ipv6(ip) => ip.to_string(),
    };
    let plain = matches!(url.scheme(), "http" | "ws");
    let port = url
        .port_or_known_default()
        .unwrap_or(if plain { 80 } else { 443 });
    Some(BaseAddress { host, port, plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_addresses() {
        let of = |text: &str| base_address(&text.parse().unwrap());
        let base = |host: &str, port, plain| {
            Some(BaseAddress {
                host: host.into(),
                port,
                plain,
            })
        };
        assert_eq!(of("http://127.0.0.1:3000"), base("127.0.0.1", 3000, true));
        assert_eq!(
            of("https://dev.example.com/x"),
            base("dev.example.com", 443, false)
        );
        assert_eq!(of("http://[::1]"), base("::1", 80, true));
        assert_eq!(of("data:text"), None);
    }
}
