//! A WebSocket as one stream of bytes.
//!
//! A task moves bytes between the socket's binary messages and an in-memory pipe; message
//! boundaries mean nothing. It also pings, where the socket's life is to be watched.

use axum::extract::ws::{Message, WebSocket};
use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::{CLOSE_TIMEOUT, PING_INTERVAL, close_frame, code};

/// Bytes in the pipe, each way.
const PIPE: usize = 128 * 1024;
/// Largest message that we send.
const MAX_MESSAGE: usize = 64 * 1024;
/// Room for the next message of a socket that is quiet for most of the time.
const QUIET_ROOM: usize = 1024;

/// The bytes of a socket. Dropping the stream closes the socket normally.
pub(crate) struct ByteSocket {
    /// The bytes.
    pub(crate) io: DuplexStream,
    /// Closes the socket with a code of one's own.
    pub(crate) close: Close,
}

/// Closes a socket with a reason; dropped unused, it does nothing.
pub(crate) struct Close(oneshot::Sender<(u16, String)>);

impl Close {
    /// Closes the socket.
    pub(crate) fn with(self, code: u16, reason: impl Into<String>) {
        // A socket that is gone already needs no reason.
        let _ = self.0.send((code, reason.into()));
    }
}

/// Bytes of a socket; with `watched`, it is pinged and closed when it does not answer.
pub(crate) fn byte_socket(socket: WebSocket, watched: bool) -> ByteSocket {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (close, closing) = oneshot::channel();
    tokio::spawn(pump(socket, ours, closing, watched));
    ByteSocket {
        io: theirs,
        close: Close(close),
    }
}

/// Bytes of a relay client's socket, which has keepalives of its own.
pub(crate) fn derp_socket(socket: WebSocket) -> DuplexStream {
    let ByteSocket { io, close } = byte_socket(socket, false);
    drop(close);
    io
}

enum End {
    Close(u16, String),
    /// The socket itself is over.
    Gone,
}

async fn pump(
    mut socket: WebSocket,
    pipe: DuplexStream,
    closing: oneshot::Receiver<(u16, String)>,
    watched: bool,
) {
    let (mut from_us, mut to_us) = tokio::io::split(pipe);
    let end = run(&mut socket, &mut from_us, &mut to_us, closing, watched).await;
    // The reader sees the end of the stream.
    drop((from_us, to_us));
    if let End::Close(code, reason) = end {
        let farewell = async {
            let frame = close_frame(code, &reason);
            if socket.send(Message::Close(Some(frame))).await.is_ok() {
                // Until the other side has closed too, so that it reads the frame.
                while let Some(Ok(_)) = socket.recv().await {}
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, farewell).await;
    }
}

async fn run(
    socket: &mut WebSocket,
    from_us: &mut ReadHalf<DuplexStream>,
    to_us: &mut WriteHalf<DuplexStream>,
    mut closing: oneshot::Receiver<(u16, String)>,
    watched: bool,
) -> End {
    let (mut buffer, mut room) = (BytesMut::new(), QUIET_ROOM);
    let mut next_ping = Instant::now() + PING_INTERVAL;
    let mut heard = true;
    let mut closer_alive = true;
    loop {
        if buffer.capacity() > 2 * room {
            buffer = BytesMut::new();
        }
        buffer.reserve(room);
        let mut next = (&mut buffer).limit(room);
        tokio::select! {
            biased;
            reason = &mut closing, if closer_alive => match reason {
                Ok((code, reason)) => return End::Close(code, reason),
                Err(_) => closer_alive = false,
            },
            () = sleep_until(next_ping), if watched => {
                if !heard {
                    return End::Close(code::GOING_AWAY, "liveness probe failed".to_owned());
                }
                heard = false;
                next_ping = Instant::now() + PING_INTERVAL;
                if socket.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                    return End::Gone;
                }
            }
            read = from_us.read_buf(&mut next) => match read {
                Ok(0) | Err(_) => return End::Close(code::NORMAL, String::new()),
                Ok(size) => {
                    let message = buffer.split().freeze();
                    // What fills its room is followed by more.
                    room = if size == room { MAX_MESSAGE } else { QUIET_ROOM };
                    if socket.send(Message::Binary(message)).await.is_err() {
                        return End::Gone;
                    }
                }
            },
            message = socket.recv() => {
                heard = true;
                match message {
                    Some(Ok(Message::Binary(data))) => {
                        if to_us.write_all(&data).await.is_err() {
                            return End::Close(code::NORMAL, String::new());
                        }
                    }
                    Some(Ok(Message::Text(_))) => {
                        return End::Close(code::UNSUPPORTED, "expected binary messages".to_owned());
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                }
            }
        }
    }
}
