//! One stream of a session, as plain bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::session::Handle;

/// A byte stream of a [`super::Session`].
///
/// Shutting it down sends FIN; dropping it does so too, and what arrives later
/// is refused.
pub struct Stream {
    handle: Arc<Handle>,
    id: u32,
}

impl Stream {
    pub(super) fn new(handle: Arc<Handle>, id: u32) -> Self {
        Self { handle, id }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({})", self.id)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.handle.shared.state.lock().drop_stream(self.id);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.handle.shared.state.lock();
        match state.read(self.id, buf, cx.waker()) {
            Some(result) => Poll::Ready(result.map_err(Into::into)),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.handle.shared.state.lock();
        match state.write(self.id, buf, cx.waker()) {
            Some(result) => Poll::Ready(result.map_err(Into::into)),
            None => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The session's task writes what is queued without being asked.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.shared.state.lock().finish(self.id);
        Poll::Ready(Ok(()))
    }
}
