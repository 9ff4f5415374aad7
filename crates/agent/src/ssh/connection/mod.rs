//! The SSH connection protocol (RFC 4254) on one stream: a single task that
//! moves bytes, keeps the table of channels and hands what happens on them to a
//! [`Service`]. Decides nothing about what channels do.

mod incoming;
mod outgoing;
mod table;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::channel::{Channel, Credit, Outgoing, Outlet};
use super::host_key::HostKey;
use super::numbers::{DISCONNECT_BY_APPLICATION, DISCONNECT_PROTOCOL_ERROR, OpenFailure};
use super::transport::{Transport, TransportError};
use super::wire::Malformed;
use table::Entry;

/// Channels that one connection may have open.
const MAX_CHANNELS: usize = 1024;
/// Requests that may wait on one channel; more are refused. Clients send all
/// variables of a session, one request each, before they wait for an answer.
const MAX_REQUESTS: usize = 1024;
/// Bytes of a request: a command line, at most.
const MAX_REQUEST: usize = 256 * 1024;
/// Messages of tasks that may wait for the connection, each with up to
/// [`MAX_PACKET`] bytes.
const OUTGOING_QUEUE: usize = 8;
/// No more data is taken from tasks while this much waits for the stream.
const OUTPUT_HIGH: usize = 128 * 1024;
/// Nothing more is read from a client that leaves this many answers unread.
const OUTPUT_HARD: usize = 1024 * 1024;
/// Room for the next bytes of a client that types, or is silent.
const READ_QUIET: usize = 2 * 1024;
/// Bytes read at once of one that sends much.
const READ_BUSY: usize = 32 * 1024;
/// Unanswered keepalives after which the client counts as gone.
const KEEPALIVE_TRIES: u32 = 3;
/// How long the last bytes may take on a connection that is being closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a client wants when it opens a channel.
#[derive(Debug)]
pub struct OpenRequest {
    /// The channel, usable once accepted.
    pub channel: Channel,
    /// Its type.
    pub kind: String,
    /// The type-specific data.
    pub data: Vec<u8>,
}

impl OpenRequest {
    /// Confirms the channel and hands it out.
    pub async fn accept(self) -> Channel {
        let id = self.channel.handle.id;
        // A connection that is gone shows itself at the first read or write.
        let _ = self
            .channel
            .handle
            .outgoing
            .send(Outgoing::Accept { channel: id })
            .await;
        self.channel
    }

    /// Refuses the channel.
    pub async fn refuse(self, reason: OpenFailure, text: impl Into<String>) {
        let channel = self.channel.handle.id;
        let refuse = Outgoing::Refuse {
            channel,
            reason,
            text: text.into(),
        };
        let _ = self.channel.handle.outgoing.send(refuse).await;
    }
}

/// What the owner of a connection does about the client's wishes. Both calls
/// must return at once; longer work belongs into tasks.
pub trait Service: Send + 'static {
    /// The client opens a channel.
    fn open(&mut self, request: OpenRequest, peer: &Peer);
    /// The client asks for something beside the channels. `Some` data is a
    /// success, `None` a failure.
    fn global(&mut self, kind: &str, data: &[u8], peer: &Peer) -> Option<Vec<u8>>;
}

/// A handle to the client for tasks.
#[derive(Debug, Clone)]
pub struct Peer {
    outgoing: mpsc::Sender<Outgoing>,
    /// Cancelled when the connection ends.
    pub closed: CancellationToken,
}

impl Peer {
    /// Opens a channel to the client; `None` if it declines or is gone.
    pub async fn open(&self, kind: &'static str, data: Vec<u8>) -> Option<Channel> {
        let (opened, answer) = oneshot::channel();
        self.outgoing
            .send(Outgoing::Open { kind, data, opened })
            .await
            .ok()?;
        answer.await.ok().flatten()
    }
}

/// How a connection behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A silent client is asked for a sign of life this often; zero for never.
    pub keepalive: Duration,
}

/// Why a connection ended other than by the client's wish.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The stream failed.
    #[error("SSH connection lost: {0}")]
    Io(#[from] std::io::Error),
    /// The client broke the protocol.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The client sent something unreadable.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The client sent more than it was allowed to, or to no channel.
    #[error("the SSH client broke the rules of its channels: {0}")]
    Channel(&'static str),
    /// The client shows no sign of life.
    #[error("the SSH client stopped answering")]
    Silent,
}

struct Connection<H> {
    transport: Transport,
    service: H,
    peer: Peer,
    channels: HashMap<u32, Entry>,
    next: u32,
    authenticated: bool,
    outgoing: mpsc::Sender<Outgoing>,
    credits: mpsc::UnboundedSender<Credit>,
    /// Data that waits for the stream, and whom to tell when it is written. As much as
    /// [`OUTPUT_HIGH`] lets in.
    unwritten: Vec<(Arc<Outlet>, usize)>,
}

impl<H> Connection<H> {
    /// Data of tasks can be taken now.
    fn takes_more(&self) -> bool {
        self.transport.output().len() < OUTPUT_HIGH && self.transport.ready()
    }
}

/// Serves one client until it leaves, breaks the rules, or `cancel` ends it.
pub async fn serve<S, H>(
    stream: S,
    host_key: Arc<HostKey>,
    settings: Settings,
    service: H,
    cancel: CancellationToken,
) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Service,
{
    let (outgoing, mut from_tasks) = mpsc::channel(OUTGOING_QUEUE);
    let (credits, mut credited) = mpsc::unbounded_channel();
    let peer = Peer {
        outgoing: outgoing.clone(),
        closed: CancellationToken::new(),
    };
    let _closed = peer.closed.clone().drop_guard();
    let mut connection = Connection {
        transport: Transport::new(host_key),
        service,
        peer,
        channels: HashMap::new(),
        next: 0,
        authenticated: false,
        outgoing,
        credits,
        unwritten: Vec::new(),
    };
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut input, mut room) = (BytesMut::new(), READ_QUIET);
    let period = if settings.keepalive.is_zero() {
        Duration::from_hours(24)
    } else {
        settings.keepalive
    };
    let mut keepalive = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    let mut silent = 0;

    let result = loop {
        let waiting = connection.transport.output().len();
        tokio::select! {
            read = read_some(&mut reader, &mut input, room), if waiting < OUTPUT_HARD => match read {
                Ok(0) => break Ok(()),
                Ok(read) => {
                    silent = 0;
                    room = if read >= READ_QUIET { READ_BUSY } else { READ_QUIET };
                    match connection.receive(&mut input) {
                        Ok(true) => {}
                        Ok(false) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                }
                Err(error) => break Err(error.into()),
            },
            written = writer.write(connection.transport.output()), if waiting > 0 => match written {
                Ok(0) => break Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into()),
                Ok(n) => {
                    connection.transport.advance(n);
                    if connection.transport.output().is_empty() {
                        if let Err(error) = writer.flush().await {
                            break Err(error.into());
                        }
                        for (outlet, bytes) in connection.unwritten.drain(..) {
                            outlet.written(bytes);
                        }
                    }
                }
                Err(error) => break Err(error.into()),
            },
            Some(message) = from_tasks.recv(), if connection.takes_more() => {
                connection.send(message);
                // What waits already goes out by the same write.
                while connection.takes_more()
                    && let Ok(message) = from_tasks.try_recv()
                {
                    connection.send(message);
                }
            }
            Some(credit) = credited.recv() => connection.grant(credit),
            _ = keepalive.tick(), if !settings.keepalive.is_zero() => {
                silent += 1;
                if silent > KEEPALIVE_TRIES {
                    break Err(ConnectionError::Silent);
                }
                connection.keepalive();
            }
            () = cancel.cancelled() => {
                connection.transport.disconnect(DISCONNECT_BY_APPLICATION, "the agent is shutting down");
                break Ok(());
            }
        }
    };
    match &result {
        Err(ConnectionError::Transport(error)) => {
            connection
                .transport
                .disconnect(error.disconnect_code(), &error.to_string());
        }
        Err(error @ (ConnectionError::Malformed(_) | ConnectionError::Channel(_))) => {
            connection
                .transport
                .disconnect(DISCONNECT_PROTOCOL_ERROR, &error.to_string());
        }
        _ => {}
    }
    connection.channels.values().for_each(Entry::end);
    // Whether the farewell arrives makes no difference any more.
    let _ = tokio::time::timeout(FAREWELL, async {
        writer.write_all(connection.transport.output()).await?;
        writer.shutdown().await
    })
    .await;
    result
}

async fn read_some(
    reader: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    room: usize,
) -> std::io::Result<usize> {
    if input.is_empty() && input.capacity() > 4 * room {
        // The room of a busy moment.
        *input = BytesMut::new();
    }
    if input.capacity() - input.len() < room / 2 {
        // The packets cut from the buffer before are gone by now: this reclaims it.
        input.reserve(room);
    }
    reader.read_buf(input).await
}
