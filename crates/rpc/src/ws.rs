//! A WebSocket's binary messages as one stream of bytes.
//!
//! Generic over the WebSocket library: whoever has one gives a stream and sink
//! of [`Bytes`], where each item is a binary message. Boundaries mean nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Largest message that we send; larger writes become several.
const MAX_MESSAGE: usize = 64 * 1024;

/// Bytes over messages.
///
/// `S` yields the payloads of binary messages and takes such payloads. It ends
/// with `None` at a normal close, and with an error otherwise.
pub struct MessageBytes<S> {
    messages: S,
    current: Bytes,
}

impl<S> MessageBytes<S> {
    /// Wraps a message stream.
    pub fn new(messages: S) -> Self {
        Self {
            messages,
            current: Bytes::new(),
        }
    }
}

impl<S> AsyncRead for MessageBytes<S>
where
    S: Stream<Item = io::Result<Bytes>> + Unpin,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.current.is_empty() {
            match ready!(Pin::new(&mut self.messages).poll_next(cx)) {
                Some(message) => self.current = message?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let size = self.current.len().min(buf.remaining());
        buf.put_slice(&self.current[..size]);
        self.current.advance(size);
        Poll::Ready(Ok(()))
    }
}

impl<S> AsyncWrite for MessageBytes<S>
where
    S: Sink<Bytes, Error = io::Error> + Unpin,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(Pin::new(&mut self.messages).poll_ready(cx))?;
        let size = buf.len().min(MAX_MESSAGE);
        Pin::new(&mut self.messages).start_send(Bytes::copy_from_slice(&buf[..size]))?;
        Poll::Ready(Ok(size))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.messages).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.messages).poll_close(cx)
    }
}
