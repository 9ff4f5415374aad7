//! Proxies on the way to relays, as the environment names them: by HTTP, HTTPS or SOCKS5.

use std::fmt;
use std::io;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tunnel_proto::derp_map::DerpNode;

use super::dial::Io;
use super::{Relays, http, socks, tls};
use crate::is_loopback_host;

/// Which proxies to use.
#[derive(Clone)]
pub struct Proxies(Arc<Matcher>);

impl Proxies {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not; their values
    /// begin with `http://`, `https://`, `socks5://` or `socks5h://`.
    pub fn from_env() -> Self {
        Self(Arc::new(Matcher::from_env()))
    }

    /// None, whatever the environment says.
    pub fn none() -> Self {
        Self(Arc::new(Matcher::builder().build()))
    }

    /// `url` for every relay.
    pub fn all(url: &str) -> Self {
        Self(Arc::new(Matcher::builder().all(url).build()))
    }

    /// The proxy to `node`. This machine itself is never reached through one.
    pub(super) fn of(&self, node: &DerpNode) -> Option<Intercept> {
        let host = node.host_name.as_str();
        if is_loopback_host(host) {
            return None;
        }
        let scheme = if node.force_http { "http" } else { "https" };
        let uri = format!("{scheme}://{}/derp", http::authority(node));
        self.0.intercept(&uri.parse().ok()?)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses of proxies may hold passwords.
        f.write_str("Proxies")
    }
}

/// A connection through `proxy` to `node`. Names are looked up by the proxy.
pub(super) async fn connect(
    relays: &Relays,
    proxy: &Intercept,
    node: &DerpNode,
) -> io::Result<Box<dyn Io>> {
    let uri = proxy.uri();
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let scheme = uri.scheme_str().unwrap_or_default();
    let port = match (uri.port_u16(), scheme) {
        (Some(port), _) => port,
        (None, "http") => 80,
        (None, "https") => 443,
        (None, _) => 1080,
    };
    if !matches!(scheme, "http" | "https" | "socks5" | "socks5h") {
        let text = format!(
            "the proxy for relays is given as {scheme}://, and only http, https and socks5 are \
             spoken: set HTTPS_PROXY to one of these, or NO_PROXY for the relay's host"
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    let mut tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    match scheme {
        "http" => {
            tunnel(&mut tcp, proxy, host, node).await?;
            Ok(Box::new(tcp))
        }
        "https" => {
            let mut tls = tls::wrap(relays, host, tcp).await?;
            tunnel(&mut tls, proxy, host, node).await?;
            Ok(Box::new(tls))
        }
        _ => {
            let (target, port) = (node.host_name.as_str(), http::port(node));
            socks::connect(&mut tcp, proxy.raw_auth(), target, port).await?;
            Ok(Box::new(tcp))
        }
    }
}

/// Asks an HTTP proxy for a way to `node`.
async fn tunnel(
    io: &mut impl Io,
    proxy: &Intercept,
    host: &str,
    node: &DerpNode,
) -> io::Result<()> {
    let target = http::host_and_port(node);
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(auth) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(auth.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    io.write_all(&request).await?;
    io.flush().await?;
    let head = http::read_head(io).await?;
    if head.status != 200 || !head.rest.is_empty() {
        let text = format!(
            "the proxy {host} answered HTTP {} to CONNECT {target}",
            head.status
        );
        return Err(io::Error::other(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_reached_without() {
        let proxies = Proxies::all("http://proxy.example.com:3128");
        let node = |host: &str| DerpNode {
            host_name: host.into(),
            ..DerpNode::default()
        };
        for local in ["localhost", "127.0.0.1", "::1"] {
            assert!(proxies.of(&node(local)).is_none(), "{local}");
        }
        let found = proxies.of(&node("relay.example.com")).unwrap();
        assert_eq!(found.uri().port_u16(), Some(3128));
        assert!(proxies.of(&node("2001:db8::1")).is_some());
        assert!(Proxies::none().of(&node("relay.example.com")).is_none());
    }
}
