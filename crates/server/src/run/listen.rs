//! Listeners and the connections that they take: plain, or by TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use url::Url;

use super::RunError;
use super::tls::{self, Certificates};
use crate::options::Options;

/// How long a client may take to finish its TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request; between requests it may rest.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// Wait after the system refused a connection: it is out of files or memory.
const REFUSED_WAIT: Duration = Duration::from_secs(1);
/// A connection at rest for so long is probed. Routers on the way forget one after minutes.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// Time between probes that are not answered.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
/// So many without an answer end the connection.
const PROBES: u32 = 4;

/// Marks a request that came by TLS.
#[derive(Clone, Copy)]
pub(crate) struct ByTls;

/// All listeners of a server.
pub(super) struct Listeners {
    plain: Option<Listener>,
    tls: Option<Listener>,
    certificates: Option<Arc<Certificates>>,
}

impl Listeners {
    /// Listens where the options say.
    pub(super) async fn open(options: &Options) -> Result<Self, RunError> {
        let access_url = Url::parse(options.text("access-url")).ok();
        let host = access_url.as_ref().and_then(Url::host_str);
        let (acceptor, certificates) = tls::acceptor(options, host)?.unzip();
        let open = async |flag: &'static str, tls: Option<TlsAcceptor>| match options.text(flag) {
            "" => Ok(None),
            address => Listener::bind(flag, address, tls).await.map(Some),
        };
        let plain = open("http-address", None).await?;
        let tls = match acceptor {
            Some(acceptor) => open("tls-address", Some(acceptor)).await?,
            None => None,
        };
        if plain.is_none() && tls.is_none() {
            return Err(RunError::NoListener);
        }
        Ok(Self {
            plain,
            tls,
            certificates,
        })
    }

    /// The URL by which this machine reaches the server.
    pub(super) fn url(&self) -> Result<String, RunError> {
        let (scheme, listener) = match (&self.tls, &self.plain) {
            (Some(tls), _) => ("https", tls),
            (None, Some(plain)) => ("http", plain),
            (None, None) => return Err(RunError::NoListener),
        };
        Ok(format!("{scheme}://{}", reachable(listener.address()?)))
    }

    /// Serves until cancelled, then until the last request is answered.
    pub(super) async fn serve(self, app: Router, cancel: CancellationToken) {
        let serve = async |listener: Option<Listener>| {
            if let Some(listener) = listener {
                listener.serve(app.clone(), cancel.clone()).await;
            }
        };
        let watch = async {
            if let Some(certificates) = self.certificates {
                certificates.watch(cancel.clone()).await;
            }
        };
        tokio::join!(serve(self.plain), serve(self.tls), watch);
    }
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        std::net::IpAddr::V4(_) => ([127, 0, 0, 1], address.port()).into(),
        std::net::IpAddr::V6(_) => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
    }
}

/// A listener.
struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    flag: &'static str,
}

impl Listener {
    /// Listens on the address of an option.
    async fn bind(
        flag: &'static str,
        address: &str,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self, RunError> {
        let tcp = TcpListener::bind(address)
            .await
            .map_err(RunError::listen(flag, address))?;
        Ok(Self { tcp, tls, flag })
    }

    /// The address, with the port that the system chose.
    fn address(&self) -> Result<SocketAddr, RunError> {
        self.tcp
            .local_addr()
            .map_err(RunError::listen(self.flag, ""))
    }

    /// Serves until cancelled, then until the last request is answered.
    async fn serve(self, app: Router, cancel: CancellationToken) {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = self.tcp.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(REFUSED_WAIT).await;
                    continue;
                }
            };
            let (app, tls, watcher) = (app.clone(), self.tls.clone(), graceful.watcher());
            tokio::spawn(async move {
                // Small answers must not wait for more to come.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot switch off delays of a connection");
                }
                if let Err(error) = keep_alive(&stream) {
                    tracing::debug!(%error, "a connection will not be probed");
                }
                match tls {
                    None => serve_one(stream, peer, false, app, watcher).await,
                    Some(tls) => {
                        if let Some(stream) = secured(&tls, stream).await {
                            serve_one(stream, peer, true, app, watcher).await;
                        }
                    }
                }
            });
        }
        drop(self.tcp);
        graceful.shutdown().await;
    }
}

/// Has the system probe a connection at rest: a browser that vanished without a word would
/// otherwise hold it, and the app behind it, for ever.
fn keep_alive(stream: &TcpStream) -> std::io::Result<()> {
    let probes = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_INTERVAL)
        .with_retries(PROBES);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

async fn secured(
    tls: &TlsAcceptor,
    stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    match tokio::time::timeout(TLS_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

async fn serve_one<IO>(
    io: IO,
    peer: SocketAddr,
    by_tls: bool,
    app: Router,
    watcher: hyper_util::server::graceful::Watcher,
) where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service =
        hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            if by_tls {
                request.extensions_mut().insert(ByTls);
            }
            // A router is always ready.
            app.clone().call(request)
        });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // Apps may take the names of headers literally.
        .preserve_header_case(true);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(io), service);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_at_rest_are_probed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, _) = accepted.unwrap();
        keep_alive(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
    }
}
