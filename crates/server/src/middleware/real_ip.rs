//! The client's address behind proxies that we trust.

use std::net::IpAddr;

use api_types::{Network, NoNetwork};
use axum::http::{HeaderMap, HeaderName};

/// Whose word on the client's address is taken, and in which headers.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    headers: Vec<HeaderName>,
    origins: Vec<Network>,
}

impl TrustedProxies {
    /// From the names of headers and from networks in CIDR form.
    ///
    /// # Errors
    /// Names what is neither.
    pub fn new(headers: &[String], origins: &[String]) -> Result<Self, String> {
        let headers = headers
            .iter()
            .map(|name| {
                name.parse()
                    .map_err(|_| format!("{name:?} is no name of a header"))
            })
            .collect::<Result<_, _>>()?;
        let origins = origins
            .iter()
            .map(|text| text.parse().map_err(|error: NoNetwork| error.to_string()))
            .collect::<Result<_, _>>()?;
        Ok(TrustedProxies { headers, origins })
    }

    /// Whether a peer may speak for clients.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.origins.iter().any(|network| network.contains(peer))
    }

    /// The address of the client behind `peer`.
    pub fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.headers.is_empty() || !self.trusts(peer) {
            return peer;
        }
        self.headers
            .iter()
            .filter_map(|name| headers.get(name)?.to_str().ok())
            // The first of a list is the client; those behind it are proxies.
            .find_map(|value| value.split(',').next()?.trim().parse::<IpAddr>().ok())
            .map_or(peer, |ip| ip.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_peers_speak_for_others() {
        let proxies = TrustedProxies::new(
            &["X-Forwarded-For".to_owned()],
            &["10.0.0.0/8".to_owned(), "fd00::/16".to_owned()],
        )
        .unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.2.3.4, 10.0.0.9".parse().unwrap());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(proxies.client_ip(ip("10.1.1.1"), &headers), ip("1.2.3.4"));
        assert_eq!(proxies.client_ip(ip("fd00::1"), &headers), ip("1.2.3.4"));
        assert_eq!(proxies.client_ip(ip("11.1.1.1"), &headers), ip("11.1.1.1"));
        headers.insert("x-forwarded-for", "garbage".parse().unwrap());
        assert_eq!(proxies.client_ip(ip("10.1.1.1"), &headers), ip("10.1.1.1"));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert!(
                TrustedProxies::new(&[], &[bad.to_owned()]).is_err(),
                "{bad}"
            );
        }
    }
}
