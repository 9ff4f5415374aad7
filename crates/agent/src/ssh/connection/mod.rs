//! The SSH connection protocol (RFC 4254) on one stream: a single task that
//! moves bytes, keeps the table of channels and hands what happens on them to a
//! [`Service`]. Decides nothing about what channels do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::auth;
use super::channel::{
    Channel, ChannelHandle, ChannelReader, Credit, Inbox, MAX_PACKET, Outgoing, Outlet, Request,
    WINDOW,
};
use super::host_key::HostKey;
use super::numbers::{
    CHANNEL_CLOSE, CHANNEL_DATA, CHANNEL_EOF, CHANNEL_EXTENDED_DATA, CHANNEL_FAILURE, CHANNEL_OPEN,
    CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE, CHANNEL_REQUEST, CHANNEL_SUCCESS,
    CHANNEL_WINDOW_ADJUST, DISCONNECT_BY_APPLICATION, DISCONNECT_PROTOCOL_ERROR, GLOBAL_REQUEST,
    OpenFailure, REQUEST_FAILURE, REQUEST_SUCCESS, UNIMPLEMENTED,
};
use super::transport::{Incoming, Transport, TransportError};
use super::wire::{Malformed, Reader, Write};

/// Channels that one connection may have open.
const MAX_CHANNELS: usize = 1024;
/// Requests that may wait on one channel; more are refused.
const MAX_REQUESTS: usize = 64;
/// Messages of tasks that may wait for the connection, each with up to
/// [`MAX_PACKET`] bytes.
const OUTGOING_QUEUE: usize = 8;
/// No more data is taken from tasks while this much waits for the stream.
const OUTPUT_HIGH: usize = 128 * 1024;
/// Nothing more is read from a client that leaves this many answers unread.
const OUTPUT_HARD: usize = 1024 * 1024;
/// Bytes read from the stream at once.
const READ_SIZE: usize = 32 * 1024;
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

enum State {
    /// The client wants it, the service has not answered yet.
    Asked,
    /// We want it, the client has not answered yet.
    Wanted(oneshot::Sender<Option<Channel>>, Box<Channel>),
    Open,
}

struct Entry {
    state: State,
    /// The client's number for the channel.
    remote: u32,
    inbox: Arc<Inbox>,
    outlet: Arc<Outlet>,
    /// Bytes that the client may still send.
    window: u32,
    requests: mpsc::Sender<Request>,
    sent_eof: bool,
    sent_close: bool,
}

impl Entry {
    fn end(&self) {
        self.inbox.end();
        self.outlet.close();
    }
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
    };
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut input = BytesMut::new();
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
            read = read_some(&mut reader, &mut input), if waiting < OUTPUT_HARD => match read {
                Ok(0) => break Ok(()),
                Ok(_) => {
                    silent = 0;
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
                    if connection.transport.output().is_empty()
                        && let Err(error) = writer.flush().await
                    {
                        break Err(error.into());
                    }
                }
                Err(error) => break Err(error.into()),
            },
            Some(message) = from_tasks.recv(), if waiting < OUTPUT_HIGH && connection.transport.ready() => {
                connection.send(message);
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
) -> std::io::Result<usize> {
    if input.is_empty() && input.capacity() < READ_SIZE {
        // The packets cut from the buffer before are gone by now: this reclaims it.
        input.reserve(READ_SIZE);
    }
    reader.read_buf(input).await
}

impl<H: Service> Connection<H> {
    /// Handles everything complete in `input`; `false` once the client has left.
    fn receive(&mut self, input: &mut BytesMut) -> Result<bool, ConnectionError> {
        while let Some(incoming) = self.transport.receive(input)? {
            match incoming {
                Incoming::Disconnected => return Ok(false),
                Incoming::Payload(payload) if self.authenticated => self.handle(&payload)?,
                Incoming::Payload(payload) => match auth::answer(&payload)? {
                    auth::Answer::Reply { payload, done } => {
                        self.authenticated = done;
                        self.transport.send(|out| out.put_raw(&payload));
                    }
                    auth::Answer::Ignore => {}
                },
            }
            self.transport.check_stalled()?;
        }
        Ok(true)
    }

    fn handle(&mut self, payload: &[u8]) -> Result<(), ConnectionError> {
        let mut reader = Reader::new(payload);
        let kind = reader.byte()?;
        match kind {
            GLOBAL_REQUEST => {
                let name = reader.text()?;
                let want_reply = reader.boolean()?;
                let answer = self.service.global(name, reader.rest(), &self.peer);
                if want_reply {
                    self.transport.send(|out| match answer {
                        Some(data) => {
                            out.put_byte(REQUEST_SUCCESS);
                            out.put_raw(&data);
                        }
                        None => out.put_byte(REQUEST_FAILURE),
                    });
                }
            }
            // Answers to keepalives; that something came is all that matters.
            REQUEST_SUCCESS | REQUEST_FAILURE => {}
            CHANNEL_OPEN => self.opened_by_client(reader)?,
            CHANNEL_OPEN_CONFIRMATION..=CHANNEL_FAILURE => {
                let id = reader.u32()?;
                self.channel_message(kind, id, reader)?;
            }
            // A late authentication request is to be ignored (RFC 4252 section 5.1).
            50..=79 => {}
            _ => self.transport.send(|out| {
                out.put_byte(UNIMPLEMENTED);
                out.put_number(0);
            }),
        }
        Ok(())
    }

    fn channel_message(
        &mut self,
        kind: u8,
        id: u32,
        mut reader: Reader<'_>,
    ) -> Result<(), ConnectionError> {
        let Some(entry) = self.channels.get_mut(&id) else {
            // Some clients say a last word on channels that both sides have closed.
            let existed = id < self.next;
            return if existed {
                Ok(())
            } else {
                Err(ConnectionError::Channel("no such channel"))
            };
        };
        match (kind, &entry.state) {
            (CHANNEL_OPEN_CONFIRMATION, State::Wanted(..)) => {
                entry.remote = reader.u32()?;
                let window = reader.u32()?;
                let max_packet = reader.u32()?;
                self.confirmed(id, window, max_packet);
            }
            (CHANNEL_OPEN_FAILURE, State::Wanted(..)) => {
                if let Some(Entry {
                    state: State::Wanted(opened, _),
                    ..
                }) = self.channels.remove(&id)
                {
                    // The task that asked may have given up.
                    let _ = opened.send(None);
                }
            }
            (_, State::Asked | State::Wanted(..)) => {
                return Err(ConnectionError::Channel(
                    "message before the channel is open",
                ));
            }
            (CHANNEL_WINDOW_ADJUST, _) => entry.outlet.grow(reader.u32()?),
            (CHANNEL_DATA, _) => self.data(id, reader.string()?)?,
            (CHANNEL_EXTENDED_DATA, _) => {
                // No extended data is defined from clients to servers.
                reader.u32()?;
                let bytes = reader.string()?.len();
                self.consume(id, bytes)?;
                self.grant(Credit {
                    channel: id,
                    bytes: bytes as u32,
                });
            }
            (CHANNEL_EOF, _) => entry.inbox.end(),
            (CHANNEL_CLOSE, _) => {
                self.close(id);
                if let Some(entry) = self.channels.remove(&id) {
                    entry.end();
                }
            }
            (CHANNEL_REQUEST, _) => {
                let request = Request {
                    kind: reader.text()?.to_owned(),
                    want_reply: reader.boolean()?,
                    data: reader.rest().to_vec(),
                };
                let want_reply = request.want_reply;
                if entry.requests.try_send(request).is_err() && want_reply {
                    self.reply(id, false);
                }
            }
            // Answers to requests of ours, of which none wants one.
            (CHANNEL_SUCCESS | CHANNEL_FAILURE, _) => {}
            _ => return Err(ConnectionError::Channel("message out of order")),
        }
        Ok(())
    }

    fn consume(&mut self, id: u32, bytes: usize) -> Result<(), ConnectionError> {
        if let Some(entry) = self.channels.get_mut(&id) {
            entry.window = u32::try_from(bytes)
                .ok()
                .and_then(|n| entry.window.checked_sub(n))
                .ok_or(ConnectionError::Channel("more data than the window allows"))?;
        }
        Ok(())
    }

    fn data(&mut self, id: u32, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.consume(id, bytes.len())?;
        let read = self
            .channels
            .get(&id)
            .is_some_and(|entry| entry.inbox.push(bytes));
        if !read {
            // Nobody reads any more; the client may go on all the same.
            self.grant(Credit {
                channel: id,
                bytes: bytes.len() as u32,
            });
        }
        Ok(())
    }

    fn grant(&mut self, credit: Credit) {
        let Some(entry) = self.channels.get_mut(&credit.channel) else {
            return;
        };
        if entry.sent_close || credit.bytes == 0 {
            return;
        }
        entry.window += credit.bytes;
        let remote = entry.remote;
        self.transport.send(|out| {
            out.put_byte(CHANNEL_WINDOW_ADJUST);
            out.put_number(remote);
            out.put_number(credit.bytes);
        });
    }

    /// Makes the two ends of a channel.
    fn new_channel(&mut self, remote: u32, window: u32, max_packet: u32) -> (Entry, Channel) {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let inbox = Arc::new(Inbox::default());
        let outlet = Arc::new(Outlet::new(window, max_packet));
        let (requests, received) = mpsc::channel(MAX_REQUESTS);
        let entry = Entry {
            state: State::Asked,
            remote,
            inbox: inbox.clone(),
            outlet: outlet.clone(),
            window: WINDOW,
            requests,
            sent_eof: false,
            sent_close: false,
        };
        let channel = Channel {
            reader: ChannelReader {
                channel: id,
                inbox,
                credits: self.credits.clone(),
            },
            handle: ChannelHandle {
                id,
                outlet,
                outgoing: self.outgoing.clone(),
            },
            requests: received,
        };
        (entry, channel)
    }

    fn opened_by_client(&mut self, mut reader: Reader<'_>) -> Result<(), ConnectionError> {
        let kind = reader.text()?.to_owned();
        let remote = reader.u32()?;
        let window = reader.u32()?;
        let max_packet = reader.u32()?;
        let data = reader.rest().to_vec();
        if self.channels.len() >= MAX_CHANNELS {
            self.refuse(remote, OpenFailure::ResourceShortage, "too many channels");
            return Ok(());
        }
        let (entry, channel) = self.new_channel(remote, window, max_packet);
        self.channels.insert(channel.handle.id, entry);
        self.service.open(
            OpenRequest {
                channel,
                kind,
                data,
            },
            &self.peer,
        );
        Ok(())
    }

    fn refuse(&mut self, remote: u32, reason: OpenFailure, text: &str) {
        self.transport.send(|out| {
            out.put_byte(CHANNEL_OPEN_FAILURE);
            out.put_number(remote);
            out.put_number(reason as u32);
            out.put_string(text.as_bytes());
            out.put_string(b"");
        });
    }

    /// The client has confirmed a channel of ours.
    fn confirmed(&mut self, id: u32, window: u32, max_packet: u32) {
        let Some(entry) = self.channels.get_mut(&id) else {
            return;
        };
        let State::Wanted(opened, mut channel) = std::mem::replace(&mut entry.state, State::Open)
        else {
            return;
        };
        let outlet = Arc::new(Outlet::new(window, max_packet));
        entry.outlet = outlet.clone();
        channel.handle.outlet = outlet;
        if opened.send(Some(*channel)).is_err() {
            self.close(id);
        }
    }

    fn reply(&mut self, id: u32, success: bool) {
        if let Some(entry) = self.channels.get(&id) {
            let remote = entry.remote;
            self.transport.send(|out| {
                out.put_byte(if success {
                    CHANNEL_SUCCESS
                } else {
                    CHANNEL_FAILURE
                });
                out.put_number(remote);
            });
        }
    }

    /// Ends our side of a channel.
    fn close(&mut self, id: u32) {
        let Some(entry) = self.channels.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut entry.sent_close, true) {
            return;
        }
        entry.outlet.close();
        let remote = entry.remote;
        self.transport.send(|out| {
            out.put_byte(CHANNEL_CLOSE);
            out.put_number(remote);
        });
    }

    /// Carries out what a task asks for. Requests for channels that are gone are dropped.
    fn send(&mut self, message: Outgoing) {
        let channel = match message {
            Outgoing::Data { channel, .. }
            | Outgoing::Eof { channel }
            | Outgoing::Close { channel }
            | Outgoing::Reply { channel, .. }
            | Outgoing::ExitStatus { channel, .. }
            | Outgoing::ExitSignal { channel, .. }
            | Outgoing::Accept { channel }
            | Outgoing::Refuse { channel, .. } => channel,
            Outgoing::Open { kind, data, opened } => return self.open(kind, &data, opened),
        };
        let Some(entry) = self
            .channels
            .get_mut(&channel)
            .filter(|entry| !entry.sent_close)
        else {
            return;
        };
        let remote = entry.remote;
        match message {
            Outgoing::Data { code, bytes, .. } if !entry.sent_eof || code.is_some() => {
                self.transport.send(|out| {
                    out.put_byte(if code.is_some() {
                        CHANNEL_EXTENDED_DATA
                    } else {
                        CHANNEL_DATA
                    });
                    out.put_number(remote);
                    if let Some(code) = code {
                        out.put_number(code);
                    }
                    out.put_string(&bytes);
                });
            }
            Outgoing::Eof { .. } if !std::mem::replace(&mut entry.sent_eof, true) => {
                self.transport.send(|out| {
                    out.put_byte(CHANNEL_EOF);
                    out.put_number(remote);
                });
            }
            Outgoing::Close { .. } => self.close(channel),
            Outgoing::Reply { success, .. } => self.reply(channel, success),
            Outgoing::ExitStatus { code, .. } => self.transport.send(|out| {
                out.put_byte(CHANNEL_REQUEST);
                out.put_number(remote);
                out.put_string(b"exit-status");
                out.put_bool(false);
                out.put_number(code);
            }),
            Outgoing::ExitSignal {
                signal,
                core_dumped,
                ..
            } => self.transport.send(|out| {
                out.put_byte(CHANNEL_REQUEST);
                out.put_number(remote);
                out.put_string(b"exit-signal");
                out.put_bool(false);
                out.put_string(signal.as_bytes());
                out.put_bool(core_dumped);
                out.put_string(b"");
                out.put_string(b"");
            }),
            Outgoing::Accept { .. } => {
                entry.state = State::Open;
                self.transport.send(|out| {
                    out.put_byte(CHANNEL_OPEN_CONFIRMATION);
                    out.put_number(remote);
                    out.put_number(channel);
                    out.put_number(WINDOW);
                    out.put_number(MAX_PACKET);
                });
            }
            Outgoing::Refuse { reason, text, .. } => {
                self.channels.remove(&channel);
                self.refuse(remote, reason, &text);
            }
            _ => {}
        }
    }

    fn open(&mut self, kind: &str, data: &[u8], opened: oneshot::Sender<Option<Channel>>) {
        if self.channels.len() >= MAX_CHANNELS || !self.authenticated {
            // The task that asked may have given up.
            let _ = opened.send(None);
            return;
        }
        let (mut entry, channel) = self.new_channel(0, 0, MAX_PACKET);
        let id = channel.handle.id;
        entry.state = State::Wanted(opened, Box::new(channel));
        self.channels.insert(id, entry);
        self.transport.send(|out| {
            out.put_byte(CHANNEL_OPEN);
            out.put_string(kind.as_bytes());
            out.put_number(id);
            out.put_number(WINDOW);
            out.put_number(MAX_PACKET);
            out.put_raw(data);
        });
    }

    fn keepalive(&mut self) {
        self.transport.send(|out| {
            out.put_byte(GLOBAL_REQUEST);
            out.put_string(b"keepalive@openssh.com");
            out.put_bool(true);
        });
    }
}
