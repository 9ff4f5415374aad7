//! What a session knows: its streams, what waits to be sent, whether it lives.
//!
//! Pure bookkeeping behind one lock: frames go in by [`State::receive`], bytes
//! for the wire collect in `out`. No sockets and no clock.

use std::collections::{HashMap, VecDeque};
use std::task::Waker;

use bytes::{Buf, Bytes, BytesMut};

use super::MuxError;
use super::frame::{ACK, FIN, Header, Kind, RST, SYN};

/// Receive window of a stream, fixed by the protocol at its start.
pub(super) const WINDOW: u32 = 256 * 1024;
/// Largest payload that we put into one frame, so that streams take turns.
const MAX_DATA: usize = 32 * 1024;
/// Streams that may be open at once; more is a mistake of the other side.
const MAX_STREAMS: usize = 1024;
/// Streams opened by the other side that nobody has accepted yet.
const MAX_BACKLOG: usize = 256;
/// Outgoing bytes beyond which streams wait before they queue more.
const OUT_SOFT_LIMIT: usize = 256 * 1024;
/// Outgoing bytes beyond which the session fails: the other side provokes
/// answers (pings, window updates) without reading them.
const OUT_HARD_LIMIT: usize = 1024 * 1024;
/// Unanswered pings of ours; a caller beyond it is refused.
const MAX_PINGS: usize = 64;

/// One stream.
#[derive(Default)]
pub(super) struct StreamState {
    /// Received and not yet read.
    received: VecDeque<Bytes>,
    /// Bytes that the other side may still send.
    receive_window: u32,
    /// Bytes read by us and not yet given back as window.
    consumed: u32,
    /// Bytes that we may still send.
    send_window: u32,
    /// The other side sent FIN.
    remote_closed: bool,
    /// We sent FIN.
    local_closed: bool,
    /// RST was sent or received.
    reset: bool,
    /// Our first frame must carry ACK.
    ack_due: bool,
    /// The [`super::Stream`] was dropped; kept to answer late frames.
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl StreamState {
    fn wake(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// The state of a session.
pub(super) struct State {
    streams: HashMap<u32, StreamState>,
    /// Inbound streams that wait for `accept`.
    backlog: VecDeque<u32>,
    next_id: u32,
    /// Parity of the ids that the other side opens.
    remote_parity: u32,
    /// Bytes for the wire.
    pub(super) out: BytesMut,
    /// Set once; the session is over.
    pub(super) closed: Option<MuxError>,
    remote_going_away: bool,
    pub(super) pings: HashMap<u32, tokio::sync::oneshot::Sender<()>>,
    next_ping: u32,
    acceptors: Vec<Waker>,
    /// Woken when `out` has bytes or the session closed.
    pub(super) flusher: Option<Waker>,
}

impl State {
    /// A new session; the client opens odd ids.
    pub(super) fn new(client: bool) -> Self {
        Self {
            streams: HashMap::new(),
            backlog: VecDeque::new(),
            next_id: if client { 1 } else { 2 },
            remote_parity: u32::from(!client),
            out: BytesMut::new(),
            closed: None,
            remote_going_away: false,
            pings: HashMap::new(),
            next_ping: 0,
            acceptors: Vec::new(),
            flusher: None,
        }
    }

    fn push(&mut self, header: Header) {
        self.out.extend_from_slice(&header.encode());
        self.wake_flusher();
    }

    fn wake_flusher(&mut self) {
        if let Some(waker) = self.flusher.take() {
            waker.wake();
        }
    }

    /// Ends the session; every waiter learns of it.
    pub(super) fn close(&mut self, reason: MuxError) {
        if self.closed.is_some() {
            return;
        }
        if !matches!(reason, MuxError::Io(_)) {
            let code = u32::from(matches!(reason, MuxError::Protocol(_)));
            self.push(Header::new(Kind::GoAway, 0, 0, code));
        }
        self.closed = Some(reason);
        self.pings.clear();
        for stream in self.streams.values_mut() {
            stream.wake();
        }
        for waker in self.acceptors.drain(..) {
            waker.wake();
        }
        self.wake_flusher();
    }

    /// Opens a stream of ours.
    pub(super) fn open(&mut self) -> Result<u32, MuxError> {
        if let Some(reason) = &self.closed {
            return Err(reason.clone());
        }
        if self.remote_going_away {
            return Err(MuxError::GoingAway);
        }
        if self.streams.len() >= MAX_STREAMS || self.next_id > u32::MAX - 2 {
            return Err(MuxError::TooManyStreams);
        }
        let id = self.next_id;
        self.next_id += 2;
        self.streams.insert(
            id,
            StreamState {
                receive_window: WINDOW,
                send_window: WINDOW,
                ..StreamState::default()
            },
        );
        self.push(Header::new(Kind::WindowUpdate, SYN, id, 0));
        Ok(id)
    }

    /// The next inbound stream, or registers `waker` for it.
    pub(super) fn accept(&mut self, waker: &Waker) -> Option<Result<u32, MuxError>> {
        if let Some(id) = self.backlog.pop_front() {
            self.acknowledge(id);
            return Some(Ok(id));
        }
        if let Some(reason) = &self.closed {
            return Some(Err(reason.clone()));
        }
        if !self.acceptors.iter().any(|known| known.will_wake(waker)) {
            self.acceptors.push(waker.clone());
        }
        None
    }

    /// Tells the other side at once that its stream is taken: it counts
    /// unacknowledged streams and blocks at 256 of them.
    fn acknowledge(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && std::mem::take(&mut stream.ack_due)
        {
            self.push(Header::new(Kind::WindowUpdate, ACK, id, 0));
        }
    }

    /// Starts a ping; the receiver resolves with the answer.
    pub(super) fn ping(&mut self) -> Result<tokio::sync::oneshot::Receiver<()>, MuxError> {
        if let Some(reason) = &self.closed {
            return Err(reason.clone());
        }
        self.pings.retain(|_, waiter| !waiter.is_closed());
        if self.pings.len() >= MAX_PINGS {
            return Err(MuxError::Timeout);
        }
        let value = self.next_ping;
        self.next_ping = self.next_ping.wrapping_add(1);
        let (answered, wait) = tokio::sync::oneshot::channel();
        self.pings.insert(value, answered);
        self.push(Header::new(Kind::Ping, SYN, 0, value));
        Ok(wait)
    }

    /// Takes a frame; `data` is its payload (only of data frames).
    pub(super) fn receive(&mut self, header: Header, data: Bytes) -> Result<(), MuxError> {
        match header.kind {
            Kind::Ping => {
                if header.has(SYN) {
                    self.push(Header::new(Kind::Ping, ACK, 0, header.length));
                } else if let Some(waiter) = self.pings.remove(&header.length) {
                    // The waiter may have given up; nothing is lost then.
                    let _ = waiter.send(());
                }
            }
            Kind::GoAway => {
                self.remote_going_away = true;
                if header.length != 0 {
                    return Err(MuxError::Protocol(format!(
                        "it went away with code {}",
                        header.length
                    )));
                }
            }
            Kind::Data | Kind::WindowUpdate => self.receive_on_stream(header, data)?,
        }
        if self.out.len() > OUT_HARD_LIMIT {
            return Err(MuxError::Protocol(
                "it does not read the answers that it asks for".to_owned(),
            ));
        }
        Ok(())
    }

    fn receive_on_stream(&mut self, header: Header, data: Bytes) -> Result<(), MuxError> {
        let id = header.stream;
        if header.has(SYN) {
            self.incoming(id)?;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            // A stream that we have already forgotten, or refused.
            return Ok(());
        };
        if header.has(RST) {
            stream.reset = true;
            stream.received.clear();
            stream.wake();
            self.forget_if_done(id);
            return Ok(());
        }
        match header.kind {
            Kind::Data if !data.is_empty() => {
                let size = data.len() as u32;
                if size > stream.receive_window {
                    return Err(MuxError::Protocol(format!(
                        "stream {id} sent beyond its window"
                    )));
                }
                if stream.dropped {
                    // Nobody reads any more: tell it to stop.
                    self.streams.remove(&id);
                    self.push(Header::new(Kind::WindowUpdate, RST, id, 0));
                    return Ok(());
                }
                stream.receive_window -= size;
                stream.received.push_back(data);
                if let Some(waker) = stream.reader.take() {
                    waker.wake();
                }
            }
            Kind::WindowUpdate => {
                stream.send_window = stream.send_window.saturating_add(header.length);
                if stream.send_window > 0
                    && let Some(waker) = stream.writer.take()
                {
                    waker.wake();
                }
            }
            _ => {}
        }
        if header.has(FIN) {
            stream.remote_closed = true;
            if let Some(waker) = stream.reader.take() {
                waker.wake();
            }
            self.forget_if_done(id);
        }
        Ok(())
    }

    fn incoming(&mut self, id: u32) -> Result<(), MuxError> {
        if id == 0 || id % 2 != self.remote_parity {
            return Err(MuxError::Protocol(format!(
                "it opened stream {id}, an id of ours"
            )));
        }
        if self.streams.contains_key(&id) {
            return Err(MuxError::Protocol(format!("it opened stream {id} twice")));
        }
        if self.closed.is_some()
            || self.backlog.len() >= MAX_BACKLOG
            || self.streams.len() >= MAX_STREAMS
        {
            self.push(Header::new(Kind::WindowUpdate, RST, id, 0));
            return Ok(());
        }
        self.streams.insert(
            id,
            StreamState {
                receive_window: WINDOW,
                send_window: WINDOW,
                ack_due: true,
                ..StreamState::default()
            },
        );
        self.backlog.push_back(id);
        for waker in self.acceptors.drain(..) {
            waker.wake();
        }
        Ok(())
    }

    fn forget_if_done(&mut self, id: u32) {
        if let Some(stream) = self.streams.get(&id)
            && stream.dropped
            && (stream.reset || stream.remote_closed)
        {
            self.streams.remove(&id);
        }
    }

    /// Reads into `target`; `Some(Ok(0))` is the end, `None` means wait.
    pub(super) fn read(
        &mut self,
        id: u32,
        target: &mut tokio::io::ReadBuf<'_>,
        waker: &Waker,
    ) -> Option<Result<(), MuxError>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Some(Ok(()));
        };
        if let Some(chunk) = stream.received.front_mut() {
            let size = chunk.len().min(target.remaining());
            target.put_slice(&chunk[..size]);
            chunk.advance(size);
            if chunk.is_empty() {
                stream.received.pop_front();
            }
            stream.consumed += size as u32;
            // Half a window at a time: few frames, and the sender never stalls.
            if stream.consumed >= WINDOW / 2 && !stream.remote_closed && self.closed.is_none() {
                let delta = std::mem::take(&mut stream.consumed);
                stream.receive_window += delta;
                self.push(Header::new(Kind::WindowUpdate, 0, id, delta));
            }
            return Some(Ok(()));
        }
        if stream.remote_closed {
            return Some(Ok(()));
        }
        if stream.reset {
            return Some(Err(MuxError::Closed));
        }
        if let Some(reason) = &self.closed {
            return Some(Err(reason.clone()));
        }
        stream.reader = Some(waker.clone());
        None
    }

    /// Queues bytes of `data`; how many, or `None` to wait.
    pub(super) fn write(
        &mut self,
        id: u32,
        data: &[u8],
        waker: &Waker,
    ) -> Option<Result<usize, MuxError>> {
        if let Some(reason) = &self.closed {
            return Some(Err(reason.clone()));
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return Some(Err(MuxError::Closed));
        };
        if stream.local_closed || stream.reset {
            return Some(Err(MuxError::Closed));
        }
        if data.is_empty() {
            return Some(Ok(0));
        }
        if stream.send_window == 0 || self.out.len() >= OUT_SOFT_LIMIT {
            stream.writer = Some(waker.clone());
            return None;
        }
        let size = data.len().min(stream.send_window as usize).min(MAX_DATA);
        stream.send_window -= size as u32;
        self.push(Header::new(Kind::Data, 0, id, size as u32));
        self.out.extend_from_slice(&data[..size]);
        Some(Ok(size))
    }

    /// Sends FIN once.
    pub(super) fn finish(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.local_closed || stream.reset || self.closed.is_some() {
            return;
        }
        stream.local_closed = true;
        self.push(Header::new(Kind::WindowUpdate, FIN, id, 0));
    }

    /// The stream is no longer used: finish it and forget it when possible.
    pub(super) fn drop_stream(&mut self, id: u32) {
        self.finish(id);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.dropped = true;
            stream.received.clear();
            stream.reader = None;
            stream.writer = None;
        }
        self.forget_if_done(id);
    }

    /// Takes what waits for the wire and lets writers queue more.
    pub(super) fn take_out(&mut self) -> BytesMut {
        let out = self.out.split();
        for stream in self.streams.values_mut() {
            if stream.send_window > 0
                && let Some(waker) = stream.writer.take()
            {
                waker.wake();
            }
        }
        out
    }

    /// Streams that count against the limit.
    #[cfg(test)]
    pub(super) fn open_streams(&self) -> usize {
        self.streams.len()
    }
}
