//! What happens to TCP connections whose port has no listener inside the tunnel.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::pin::Pin;

use crate::TcpStream;

/// Copies through a forwarded connection: a bundle of packets, within the memory of a small agent.
const COPY_BUFFER: usize = 32 << 10;

/// A future that owns what it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Serves one accepted connection.
pub type Serve = Box<dyn FnOnce(TcpStream) -> BoxFuture<()> + Send>;

/// A connection that a peer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbound {
    /// Who asks.
    pub remote: SocketAddrV6,
    /// The address and port that it asks for.
    pub local: SocketAddrV6,
}

/// Decides about inbound connections before they are accepted.
pub trait FallbackTcp: Send + Sync + 'static {
    /// Called when a connection is asked for. The peer waits for the answer: an error refuses it by
    /// a reset, success accepts it and hands the stream to the returned function.
    fn open(&self, inbound: Inbound) -> BoxFuture<io::Result<Serve>>;
}

/// Forwards to the same port on this machine: 127.0.0.1, then ::1. The peer's connection is
/// accepted only when that one is, so that a closed port looks closed from afar.
#[derive(Debug, Clone, Copy, Default)]
pub struct Localhost;

impl FallbackTcp for Localhost {
    fn open(&self, inbound: Inbound) -> BoxFuture<io::Result<Serve>> {
        Box::pin(async move {
            let port = inbound.local.port();
            let local = match tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                Ok(local) => local,
                Err(_) => tokio::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await?,
            };
            // Keystrokes through a forwarded port must not wait for more.
            local.set_nodelay(true)?;
            Ok(Box::new(move |stream| Box::pin(forward(stream, local)) as BoxFuture<()>) as Serve)
        })
    }
}

/// Copies both ways until both directions ended or one broke.
async fn forward(mut stream: TcpStream, mut local: tokio::net::TcpStream) {
    let copied =
        tokio::io::copy_bidirectional_with_sizes(&mut stream, &mut local, COPY_BUFFER, COPY_BUFFER)
            .await;
    if let Err(error) = copied {
        // A reset on either side ends the other by the drop; there is nobody else to tell.
        tracing::debug!(%error, "forwarded connection ended");
    }
}
