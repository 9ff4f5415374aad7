//! A TCP connection inside the tunnel, as an asynchronous byte stream.

use std::io;
use std::net::SocketAddrV6;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TCP connection inside the tunnel. Dropping it closes it as the kernel would: what was written
/// is still delivered, unread data is answered by a reset.
pub struct TcpStream {}

impl TcpStream {
    /// Our end.
    pub fn local_addr(&self) -> SocketAddrV6 {
        todo!()
    }

    /// The other end.
    pub fn peer_addr(&self) -> SocketAddrV6 {
        todo!()
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        todo!()
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        todo!()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        todo!()
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        todo!()
    }
}
