//! TLS on the way to relays and to proxies.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio_rustls::client::TlsStream;

use super::Relays;
use super::dial::Io;

/// TLS over `io` with the server of this name.
pub(super) async fn wrap<S: Io>(relays: &Relays, name: &str, io: S) -> io::Result<TlsStream<S>> {
    let Some(config) = &relays.tls else {
        let text = "the relay, or the proxy to it, needs TLS, and no TLS settings were given";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    };
    let server = ServerName::try_from(name.to_owned()).map_err(|_| {
        let text = format!("{name:?} is neither a DNS name nor an address: no TLS with it");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })?;
    tokio_rustls::TlsConnector::from(Arc::clone(config))
        .connect(server, io)
        .await
}
