//! A TCP connection inside the tunnel, as an asynchronous byte stream.

use std::io;
use std::net::SocketAddrV6;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::engine::FlowId;
use crate::netstack::{FlowKey, ReadState, WriteState};
use crate::shared::Shared;

/// A TCP connection inside the tunnel. Dropping it closes it as the kernel would: what was written
/// is still delivered, unread data is answered by a reset.
pub struct TcpStream {
    shared: Arc<Shared>,
    id: FlowId,
    key: FlowKey,
}

impl std::fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.key.local)
            .field("peer", &self.key.remote)
            .finish_non_exhaustive()
    }
}

impl TcpStream {
    pub(crate) fn new(shared: Arc<Shared>, id: FlowId, key: FlowKey) -> Self {
        Self { shared, id, key }
    }

    /// Our end.
    pub fn local_addr(&self) -> SocketAddrV6 {
        self.key.local
    }

    /// The other end.
    pub fn peer_addr(&self) -> SocketAddrV6 {
        self.key.remote
    }

    /// Waits until the connection is established; an error if it is refused or timed out.
    pub(crate) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = self.shared.turn(|engine, _| {
            engine.with_flow(self.id, |flow| {
                flow.wait_open(cx.waker());
                (flow.is_established(), flow.is_open())
            })
        });
        match state {
            Some((true, _)) => Poll::Ready(Ok(())),
            Some((false, true)) if !self.shared.cancel.is_cancelled() => Poll::Pending,
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into())),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let state = self.shared.turn(|engine, _| {
            if engine.closed {
                return None;
            }
            engine.with_flow(self.id, |flow| {
                flow.read(buf.remaining(), &mut |part| buf.put_slice(part), cx.waker())
            })
        });
        match state {
            Some(ReadState::Read(_) | ReadState::End) => Poll::Ready(Ok(())),
            Some(ReadState::Wait) => Poll::Pending,
            Some(ReadState::Reset) | None => {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let state = self.shared.turn(|engine, _| {
            if engine.closed {
                return None;
            }
            engine.with_flow(self.id, |flow| flow.write(data, cx.waker()))
        });
        match state {
            Some(WriteState::Written(len)) => Poll::Ready(Ok(len)),
            Some(WriteState::Wait) => Poll::Pending,
            Some(WriteState::Closed) | None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Written bytes are on their way already; nothing waits for a flush.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes our half. Does not wait for the peer to take what was written.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared
            .turn(|engine, _| engine.with_flow(self.id, crate::netstack::Flow::close));
        Poll::Ready(Ok(()))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.shared.turn(|engine, _| engine.detach(self.id));
    }
}
