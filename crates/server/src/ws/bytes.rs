//! A WebSocket as one stream of bytes.
//!
//! A task moves bytes between the socket's binary messages and an in-memory pipe; message
//! boundaries mean nothing. It also pings, where the socket's life is to be watched.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ws::{Message, WebSocket};
use bytes::{BufMut as _, BytesMut};
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, DuplexStream, ReadHalf};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::relay::{End, WRITE_TIMEOUT, farewell, up};
use super::{PING_INTERVAL, close_frame, code};

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

async fn pump(
    socket: WebSocket,
    pipe: DuplexStream,
    closing: oneshot::Receiver<(u16, String)>,
    watched: bool,
) {
    let (mut to_peer, mut from_peer) = socket.split();
    let (mut read, mut write) = tokio::io::split(pipe);
    // True while the peer gave a sign of life since the last ping, or while it has to wait for us.
    let alive = AtomicBool::new(true);
    let both = async {
        // Neither waits for the other: a peer that does not read yet may have much to say.
        let down = down(&mut read, &mut to_peer, watched.then_some(&alive));
        tokio::pin!(down);
        tokio::select! {
            end = up(&mut from_peer, &mut write, &alive) => match end {
                // Nobody takes what the peer says any more; what was said to it before still goes out.
                End::Stream => down.await,
                end => end,
            },
            end = &mut down => end,
        }
    };
    let end = tokio::select! {
        // A reason of one's own counts more than the end of the stream that follows it.
        biased;
        end = asked_to(closing) => end,
        end = both => end,
    };
    // The reader sees the end of the stream.
    drop((read, write));
    let frame = match end {
        End::Stream => close_frame(code::NORMAL, ""),
        End::Close(code, reason) => close_frame(code, &reason),
        End::Gone => return,
    };
    farewell(to_peer, from_peer, frame).await;
}

/// Waits until the socket is to be closed with a reason.
async fn asked_to(closing: oneshot::Receiver<(u16, String)>) -> End {
    match closing.await {
        Ok((code, reason)) => End::Close(code, reason.into()),
        // Dropped unused.
        Err(_) => std::future::pending().await,
    }
}

/// From the pipe to the peer, with pings in between if it is watched.
async fn down(
    pipe: &mut ReadHalf<DuplexStream>,
    to_peer: &mut SplitSink<WebSocket, Message>,
    watched: Option<&AtomicBool>,
) -> End {
    let (mut buffer, mut room) = (BytesMut::new(), QUIET_ROOM);
    let mut next_ping = Instant::now() + PING_INTERVAL;
    loop {
        if buffer.capacity() > 2 * room {
            buffer = BytesMut::new();
        }
        buffer.reserve(room);
        let mut next = (&mut buffer).limit(room);
        let message = tokio::select! {
            biased;
            alive = ping_due(watched, next_ping) => {
                if !alive.swap(false, Ordering::Relaxed) {
                    return End::Close(code::GOING_AWAY, "liveness probe failed".into());
                }
                next_ping = Instant::now() + PING_INTERVAL;
                Message::Ping(bytes::Bytes::new())
            }
            read = pipe.read_buf(&mut next) => match read {
                Ok(0) | Err(_) => return End::Stream,
                Ok(size) => {
                    // What fills its room is followed by more.
                    room = if size == room { MAX_MESSAGE } else { QUIET_ROOM };
                    Message::Binary(buffer.split().freeze())
                }
            },
        };
        match timeout(WRITE_TIMEOUT, to_peer.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return End::Gone,
        }
    }
}

/// Waits for the time of a ping; for ever if the socket is not watched.
async fn ping_due(watched: Option<&AtomicBool>, at: Instant) -> &AtomicBool {
    match watched {
        Some(alive) => {
            sleep_until(at).await;
            alive
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::extract::WebSocketUpgrade;
    use axum::routing::any;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio_tungstenite::tungstenite;

    use super::*;

    type Peer = tokio_tungstenite::WebSocketStream<
        tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>,
    >;

    async fn joined() -> (ByteSocket, Peer) {
        let (sender, mut sockets) = mpsc::channel(1);
        let handler = async move |upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(async move |socket| {
                let _ = sender.send(byte_socket(socket, true)).await;
            })
        };
        let app = Router::new().route("/", any(handler));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (peer, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        (sockets.recv().await.unwrap(), peer)
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_heard() {
        let (socket, mut peer) = joined().await;
        let (mut read, mut write) = tokio::io::split(socket.io);
        // Until it is stuck, as nobody reads.
        let stuck = async { while write.write_all(&[7; MAX_MESSAGE]).await.is_ok() {} };
        assert!(timeout(Duration::from_millis(500), stuck).await.is_err());
        let said = bytes::Bytes::from_static(b"hear me");
        peer.send(tungstenite::Message::Binary(said)).await.unwrap();
        let mut heard = [0; 7];
        let hearing = timeout(Duration::from_secs(20), read.read_exact(&mut heard));
        hearing.await.expect("not heard").unwrap();
        assert_eq!(&heard, b"hear me");
    }

    #[tokio::test]
    async fn a_reason_of_ones_own_reaches_the_peer_before_the_streams_end() {
        let (ByteSocket { mut io, close }, mut peer) = joined().await;
        io.write_all(b"x").await.unwrap();
        let first = peer.next().await.unwrap().unwrap();
        assert_eq!(first.into_data().as_ref(), b"x");
        close.with(code::GOING_AWAY, "build is outdated");
        drop(io);
        let Some(Ok(tungstenite::Message::Close(Some(frame)))) = peer.next().await else {
            panic!("not closed");
        };
        assert_eq!(u16::from(frame.code), code::GOING_AWAY);
        assert_eq!(frame.reason.as_str(), "build is outdated");
    }
}
