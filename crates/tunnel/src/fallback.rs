//! What happens to TCP connections whose port has no listener inside the tunnel.

use std::future::Future;
use std::io;
use std::net::SocketAddrV6;
use std::pin::Pin;

use crate::TcpStream;

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
