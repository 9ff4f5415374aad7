//! HTTP connections to apps: through the server's own tunnel, a few kept open for each app.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use store::AnyCertificate;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

use crate::Tailnet;
use crate::agent_conn::AgentStream;

/// Idle connections kept for one app …
const MAX_IDLE: usize = 6;
/// … for so long.
const IDLE: Duration = Duration::from_mins(10);
/// Largest head of an app's answer; browsers take less.
const MAX_HEAD: usize = 128 << 10;
/// Most headers in an app's answer.
const MAX_HEADERS: usize = 256;
/// How long a TLS handshake with an app may take.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// The client that reaches apps.
pub(super) type Upstream = Client<Connector, Body>;

/// Makes it.
pub(super) fn client(tailnet: Tailnet) -> Upstream {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        // Some apps take the names of headers literally.
        .http1_preserve_header_case(true)
        .http1_max_buf_size(MAX_HEAD)
        .http1_max_headers(MAX_HEADERS)
        .set_host(false)
        .build(Connector {
            tailnet,
            tls: tls(),
        })
}

/// The authority that stands for a port of an agent.
pub(super) fn authority(agent: Uuid, port: u16) -> String {
    format!("{}:{port}", agent.simple())
}

/// Connects to what [`authority`] names.
#[derive(Clone)]
pub(super) struct Connector {
    tailnet: Tailnet,
    tls: Option<TlsConnector>,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<AppStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let agent = uri.host().and_then(|host| Uuid::parse_str(host).ok());
            let (Some(agent), Some(port)) = (agent, uri.port_u16()) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let stream = connector.tailnet.acquire(agent).dial_tcp(port).await?;
            if uri.scheme_str() != Some("https") {
                return Ok(TokioIo::new(AppStream::Plain(stream)));
            }
            let tls = connector.tls.ok_or_else(|| io::Error::other("no TLS"))?;
            let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
            let secured = tokio::time::timeout(TLS_TIMEOUT, tls.connect(name, stream)).await??;
            Ok(TokioIo::new(AppStream::Tls(Box::new(secured))))
        })
    }
}

/// A connection to an app.
pub(super) enum AppStream {
    Plain(AgentStream),
    Tls(Box<TlsStream<AgentStream>>),
}

impl Connection for AppStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for AppStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            AppStream::Plain(io) => Pin::new(io).poll_read(cx, buf),
            AppStream::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for AppStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            AppStream::Plain(io) => Pin::new(io).poll_write(cx, buf),
            AppStream::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            AppStream::Plain(io) => Pin::new(io).poll_flush(cx),
            AppStream::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            AppStream::Plain(io) => Pin::new(io).poll_shutdown(cx),
            AppStream::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

/// TLS to an app. The tunnel proves who the agent is; apps sign their certificates themselves.
fn tls() -> Option<TlsConnector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(provider)))
        .with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}
