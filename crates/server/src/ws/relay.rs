//! A WebSocket of binary messages joined to a stream of bytes, with back pressure both ways: what
//! one side does not read, the other cannot send.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use super::{PING_INTERVAL, close_frame, code};

/// Bytes read at once, and so the longest message that is sent. An idle connection holds one such
/// buffer.
const BUFFER: usize = 16 << 10;
/// A message that cannot be written for so long means that nobody reads: sleeping machines come
/// back by connecting anew.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_mins(2);

/// How a direction ended.
pub(super) enum End {
    /// The stream is at its end, or broke: the socket is closed normally.
    Stream,
    /// The socket is closed with this.
    Close(u16, Cow<'static, str>),
    /// The socket is gone.
    Gone,
}

/// Carries bytes until either side ends or no longer answers.
pub(crate) async fn relay_bytes<IO>(socket: WebSocket, io: IO)
where
    IO: AsyncRead + AsyncWrite,
{
    let (mut to_peer, mut from_peer) = socket.split();
    let (mut read, mut write) = tokio::io::split(io);
    // True while the peer gave a sign of life since the last ping, or while it has to wait for us.
    let alive = AtomicBool::new(true);
    let end = tokio::select! {
        end = up(&mut from_peer, &mut write, &alive) => end,
        end = down(&mut read, &mut to_peer, &alive) => end,
    };
    let frame = match end {
        End::Stream => close_frame(code::NORMAL, ""),
        End::Close(code, reason) => close_frame(code, &reason),
        End::Gone => return,
    };
    farewell(to_peer, from_peer, frame).await;
}

/// From the peer to the stream.
pub(super) async fn up(
    from_peer: &mut SplitStream<WebSocket>,
    write: &mut (impl AsyncWrite + Unpin),
    alive: &AtomicBool,
) -> End {
    loop {
        let message = from_peer.next().await;
        alive.store(true, Ordering::Relaxed);
        match message {
            Some(Ok(Message::Binary(data))) => {
                let written = async {
                    write.write_all(&data).await?;
                    write.flush().await
                };
                tokio::pin!(written);
                loop {
                    // While the stream takes nothing, no answer to a ping can be seen either.
                    match timeout(PING_INTERVAL / 2, &mut written).await {
                        Ok(Ok(())) => break,
                        Ok(Err(_)) => return End::Stream,
                        Err(_) => alive.store(true, Ordering::Relaxed),
                    }
                }
            }
            Some(Ok(Message::Text(_))) => {
                return End::Close(code::UNSUPPORTED, "expected binary messages".into());
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
        }
    }
}

/// From the stream to the peer, with pings in between.
async fn down(
    read: &mut (impl AsyncRead + Unpin),
    to_peer: &mut SplitSink<WebSocket, Message>,
    alive: &AtomicBool,
) -> End {
    let mut buffer = vec![0; BUFFER];
    let mut next_ping = Instant::now() + PING_INTERVAL;
    loop {
        let message = match timeout_at(next_ping, read.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return End::Stream,
            Ok(Ok(size)) => Message::Binary(Bytes::copy_from_slice(&buffer[..size])),
            Err(_) => {
                if !alive.swap(false, Ordering::Relaxed) {
                    return End::Close(code::GOING_AWAY, "liveness probe failed".into());
                }
                next_ping = Instant::now() + PING_INTERVAL;
                Message::Ping(Bytes::new())
            }
        };
        match timeout(WRITE_TIMEOUT, to_peer.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return End::Gone,
        }
    }
}

/// Closes a socket, waiting a while for the peer to do the same, so that it reads the reason.
pub(crate) async fn farewell(
    mut to_peer: SplitSink<WebSocket, Message>,
    mut from_peer: SplitStream<WebSocket>,
    frame: CloseFrame,
) {
    let closing = async {
        if to_peer.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = from_peer.next().await {}
        }
    };
    let _ = timeout(super::CLOSE_TIMEOUT, closing).await;
}

/// Closes a socket that never came into use.
pub(crate) async fn refuse(socket: WebSocket, code: u16, reason: &str) {
    let (to_peer, from_peer) = socket.split();
    farewell(to_peer, from_peer, close_frame(code, reason)).await;
}
