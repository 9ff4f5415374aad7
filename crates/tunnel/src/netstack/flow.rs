//! One TCP connection: the state machine, its limits, and who waits for it.

use std::task::Waker;
use std::time::{Duration, Instant};

use tunnel_proto::tcp::{Addresses, Connection, Limits, Segment};

/// Receive window. Fills a path of 330 Mbit/s at 100 ms, twice: what comes behind a lost packet waits
/// for its repetition, a round trip more. Memory is taken only for what waits to be read.
const RECEIVE_WINDOW: usize = 8 << 20;
/// Bytes written but not acknowledged yet; memory as above.
const SEND_BUFFER: usize = 8 << 20;
/// A quiet connection proves its peer this often.
const KEEP_ALIVE: Duration = Duration::from_mins(2);
/// A connection whose peer says nothing for so long is reset.
const IDLE_TIMEOUT: Duration = Duration::from_hours(2);
/// The same for shells: a laptop may sleep over a weekend.
const SHELL_IDLE_TIMEOUT: Duration = Duration::from_hours(72);
/// Ports of the agent where shells are served.
const SHELL_PORTS: [u16; 2] = [1, 22];
/// A connection that was asked for must be established in this time.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// After the owner let go, the peer must not be silent for longer.
const LINGER: Duration = Duration::from_mins(1);
/// On a path this short, a window arrives at once: it must not be larger than what the socket
/// keeps. On longer ones, it arrives as fast as the network carries it.
const SHORT_PATH: Duration = Duration::from_millis(3);
/// … but not smaller than this, or acknowledgements would be waited for.
const MIN_WINDOW: usize = 128 << 10;
/// A writer that waits is called when there is so much room: a bundle's worth.
const WRITE_ROOM: usize = 32 << 10;

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadState {
    /// So many bytes were given.
    Read(usize),
    /// The peer closed its half, and everything was read.
    End,
    /// The connection was reset.
    Reset,
    /// Nothing yet; the waker is kept.
    Wait,
}

/// What a writer finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WriteState {
    /// Bytes were taken.
    Written(usize),
    /// Our half is closed, or the connection was reset.
    Closed,
    /// No room; the waker is kept.
    Wait,
}

/// A connection.
pub(crate) struct Flow {
    pub(crate) key: Addresses,
    connection: Connection,
    established: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

const OPENING: Limits = Limits {
    receive_window: RECEIVE_WINDOW,
    send_buffer: SEND_BUFFER,
    silence: OPEN_TIMEOUT,
    keep_alive: None,
    orphan: false,
};

impl Flow {
    /// A connection that is about to ask the peer.
    pub(crate) fn connect(key: Addresses, first: u32, now: Instant) -> Self {
        Self::new(key, Connection::connect(key, first, OPENING, now))
    }

    /// A connection that the peer asked for by `syn`.
    pub(crate) fn accept(key: Addresses, first: u32, syn: &Segment<'_>, now: Instant) -> Self {
        Self::new(key, Connection::accept(key, first, OPENING, syn, now))
    }

    fn new(key: Addresses, connection: Connection) -> Self {
        Self {
            key,
            connection,
            established: false,
            reader: None,
            writer: None,
        }
    }

    /// Takes a segment of this connection. Call [`Flow::transmit`] after the last of a bundle. `room`
    /// is what the socket keeps until it is read, in bytes.
    pub(crate) fn handle(&mut self, segment: &Segment<'_>, room: usize, now: Instant) {
        self.connection.handle_segment(segment, now);
        if !self.established && self.connection.is_established() {
            self.established = true;
            let Addresses { local, remote } = self.key;
            let shell = [local, remote]
                .iter()
                .any(|end| SHELL_PORTS.contains(&end.port()));
            let short = self.connection.rtt().is_some_and(|rtt| rtt < SHORT_PATH);
            let receive_window = if short {
                RECEIVE_WINDOW.min(room.max(MIN_WINDOW))
            } else {
                RECEIVE_WINDOW
            };
            self.connection.set_limits(Limits {
                receive_window,
                silence: if shell {
                    SHELL_IDLE_TIMEOUT
                } else {
                    IDLE_TIMEOUT
                },
                keep_alive: Some(KEEP_ALIVE),
                ..OPENING
            });
        }
    }

    /// Gives the packets that are due to `put`, until they hold `limit` bytes of data; true if there
    /// is more to send.
    pub(crate) fn transmit(
        &mut self,
        limit: usize,
        now: Instant,
        put: &mut dyn FnMut(&[u8]),
    ) -> bool {
        if self.connection.poll_timeout().is_some_and(|due| due <= now) {
            self.connection.handle_timeout(now);
        }
        let mut sent = 0;
        while sent < limit {
            let Some(transmit) = self.connection.poll_transmit(now) else {
                return false;
            };
            sent += transmit.data_len();
            self.connection.cut(&transmit, put);
        }
        true
    }

    /// Moves those who wait for what is there now to `woken`.
    pub(crate) fn wake(&mut self, woken: &mut Vec<Waker>) {
        let over = self.connection.end().is_some();
        if self.reader.is_some()
            && (over || self.connection.unread() > 0 || self.connection.is_ended())
        {
            woken.extend(self.reader.take());
        }
        if self.writer.is_some()
            && (over
                || (self.established
                    && (self.connection.room() >= WRITE_ROOM || !self.connection.is_sending())))
        {
            woken.extend(self.writer.take());
        }
    }

    /// When [`Flow::transmit`] is due next without an event.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    /// True once the handshake is complete, also after a close.
    pub(crate) fn is_established(&self) -> bool {
        self.established
    }

    /// True while the connection is being asked for or established in any way.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.end().is_none()
    }

    /// True when nothing is left to do but wait for stray packets.
    pub(crate) fn is_over(&self) -> bool {
        self.connection.is_over()
    }

    /// True when written bytes (or our FIN) are not acknowledged yet.
    pub(crate) fn is_sending(&self) -> bool {
        self.connection.is_sending()
    }

    /// True while it has at most a packet to send.
    pub(crate) fn is_brief(&self) -> bool {
        self.connection.is_brief()
    }

    /// Gives received bytes, at most `most`, to `put`.
    pub(crate) fn read(
        &mut self,
        most: usize,
        put: &mut dyn FnMut(&[u8]),
        waker: &Waker,
    ) -> ReadState {
        if self.connection.unread() > 0 {
            return ReadState::Read(self.connection.read(most, put));
        }
        if self.connection.is_ended() {
            ReadState::End
        } else if self.connection.end().is_some() {
            ReadState::Reset
        } else {
            keep(&mut self.reader, waker);
            ReadState::Wait
        }
    }

    /// Takes bytes to send.
    pub(crate) fn write(&mut self, data: &[u8], waker: &Waker) -> WriteState {
        if !self.connection.may_write() {
            return WriteState::Closed;
        }
        match self.connection.write(data) {
            0 if !data.is_empty() => {
                keep(&mut self.writer, waker);
                WriteState::Wait
            }
            written => WriteState::Written(written),
        }
    }

    /// Calls `waker` when the connection is established or refused.
    pub(crate) fn wait_open(&mut self, waker: &Waker) {
        keep(&mut self.writer, waker);
    }

    /// Closes our half after everything written was sent.
    pub(crate) fn close(&mut self) {
        self.connection.close();
    }

    /// Resets the connection.
    pub(crate) fn abort(&mut self) {
        self.connection.abort();
    }

    /// The owner let go: closes, or resets if received bytes will never be read or the connection
    /// was never established.
    pub(crate) fn detach(&mut self) {
        if self.has_unread() || !self.established {
            self.abort();
            return;
        }
        self.connection.close();
        self.connection.set_limits(Limits {
            silence: LINGER,
            keep_alive: None,
            orphan: true,
            ..self.connection.limits()
        });
    }

    /// True if bytes arrived that nobody will read.
    pub(crate) fn has_unread(&self) -> bool {
        self.connection.unread() > 0
    }
}

fn keep(slot: &mut Option<Waker>, waker: &Waker) {
    if slot.as_ref().is_none_or(|known| !known.will_wake(waker)) {
        *slot = Some(waker.clone());
    }
}
