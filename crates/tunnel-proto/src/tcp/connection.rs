//! One connection: its state, and what its owner may ask of it.
//!
//! The halves know sequence numbers; here is the order of events: opening, closing, resets, and
//! how long silence is borne.

mod clock;
mod input;
mod output;

use std::time::{Duration, Instant};

use super::receiver::Receiver;
use super::segment::Segment;
use super::sender::Sender;
use super::transmit::Addresses;

/// Windows are told in units of 128 bytes: up to 8 MiB.
const WINDOW_SCALE: u8 = 7;

/// How much memory and patience a connection has.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that may wait to be read.
    pub receive_window: usize,
    /// Written bytes that may wait to be acknowledged.
    pub send_buffer: usize,
    /// While something is unanswered, the peer may be silent for so long.
    pub silence: Duration,
    /// A quiet connection asks for a sign of life after so long.
    pub keep_alive: Option<Duration>,
    /// Nobody waits for the peer to close its half: [`Limits::silence`] bounds that too.
    pub orphan: bool,
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Both halves were closed.
    Closed,
    /// The peer reset it.
    Reset,
    /// The peer refused it, or was not there.
    Refused,
    /// The peer was silent for too long.
    TimedOut,
    /// This end reset it.
    Aborted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    SynSent,
    SynReceived,
    Open,
}

/// The SYN and its repetitions.
#[derive(Debug, Clone, Copy)]
struct Syn {
    /// When it is due (again).
    due: Instant,
    wait: Duration,
    /// When it was sent, if once.
    sent: Option<Instant>,
    repeated: bool,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    addresses: Addresses,
    limits: Limits,
    opening: Opening,
    syn: Syn,
    first: u32,
    /// Both ends understand selective acknowledgements.
    sack: bool,
    /// The peer scales windows by this; `None`: neither end does.
    peer_scale: Option<u8>,
    sender: Sender,
    receiver: Receiver,
    /// Acknowledgements to send.
    owed: u8,
    /// Bytes for which an acknowledgement may wait, until then.
    delayed: Option<(u64, Instant)>,
    /// A segment that makes the peer answer is due.
    ask: bool,
    /// A reset is to be sent.
    reset: bool,
    end: Option<End>,
    /// The peer's FIN came before ours was sent.
    passive: bool,
    /// Since when an answer is waited for.
    waiting_since: Option<Instant>,
    heard: Instant,
    /// The first question of a row without an answer.
    asked: Option<Instant>,
    last_asked: Option<Instant>,
    challenged: Option<Instant>,
    time_wait_until: Option<Instant>,
    tighten_at: Option<Instant>,
}

impl Connection {
    /// A connection that asks the peer. `first` is the initial sequence number: not guessable.
    pub fn connect(addresses: Addresses, first: u32, limits: Limits, now: Instant) -> Self {
        Self {
            addresses,
            limits,
            opening: Opening::SynSent,
            syn: Syn {
                due: now,
                wait: clock::FIRST_SYN_WAIT,
                sent: None,
                repeated: false,
            },
            first,
            sack: true,
            peer_scale: Some(0),
            sender: Sender::new(first, limits.send_buffer),
            receiver: Receiver::new(0, limits.receive_window, WINDOW_SCALE),
            owed: 0,
            delayed: None,
            ask: false,
            reset: false,
            end: None,
            passive: false,
            waiting_since: Some(now),
            heard: now,
            asked: None,
            last_asked: None,
            challenged: None,
            time_wait_until: None,
            tighten_at: None,
        }
    }

    /// A connection that the peer asked for by `syn`.
    pub fn accept(
        addresses: Addresses,
        first: u32,
        limits: Limits,
        syn: &Segment<'_>,
        now: Instant,
    ) -> Self {
        let mut connection = Self::connect(addresses, first, limits, now);
        connection.peer_opens(syn);
        connection
    }

    /// The two ends.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Changes memory and patience. Windows that were told stay.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.receiver.set_limit(limits.receive_window);
    }

    /// Memory and patience.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// True once the handshake is complete, also after a close.
    pub fn is_established(&self) -> bool {
        self.opening == Opening::Open
    }

    /// Why it is over; `None` while it is not.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// True when nothing is left to do but answer stray segments for a while.
    pub fn is_over(&self) -> bool {
        self.end.is_some() || self.time_wait_until.is_some()
    }

    /// True when written bytes (or our FIN) are not acknowledged yet.
    pub fn is_sending(&self) -> bool {
        self.end.is_none() && !self.sender.is_done()
    }

    /// True while what is to be sent fits into a packet: a key or its echo, an acknowledgement, a
    /// question.
    pub fn is_brief(&self) -> bool {
        self.sender.unsent() <= self.sender.mss()
    }

    /// The peer closed its half, and everything before that arrived.
    pub fn is_ended(&self) -> bool {
        self.receiver.is_ended()
    }

    /// Bytes that can be read.
    pub fn unread(&self) -> usize {
        self.receiver.unread()
    }

    /// True while bytes may be written (there may be no room).
    pub fn may_write(&self) -> bool {
        self.end.is_none() && !self.sender.is_closing()
    }

    /// Bytes that can be written now.
    pub fn room(&self) -> usize {
        if self.may_write() {
            self.sender.room()
        } else {
            0
        }
    }

    /// Smoothed round-trip time, if one was measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.sender.smoothed_rtt()
    }

    /// Gives received bytes, at most `most`, to `put` in one or two parts; how many they are.
    pub fn read(&mut self, most: usize, put: &mut dyn FnMut(&[u8])) -> usize {
        let len = self.receiver.read(most, put);
        if len > 0 && self.end.is_none() && self.receiver.owes_window() {
            self.owed = self.owed.max(1);
        }
        len
    }

    /// Takes bytes to send; gives how many.
    pub fn write(&mut self, data: &[u8]) -> usize {
        if self.may_write() {
            self.sender.write(data)
        } else {
            0
        }
    }

    /// Closes our half after everything written was sent.
    pub fn close(&mut self) {
        self.sender.close();
    }

    /// Resets the connection. Received bytes can still be read.
    pub fn abort(&mut self) {
        if self.end.is_none() {
            self.reset = self.opening != Opening::SynSent && self.time_wait_until.is_none();
            self.finish(End::Aborted);
        }
    }

    fn finish(&mut self, end: End) {
        self.end.get_or_insert(end);
        self.time_wait_until = None;
        self.owed = 0;
        self.delayed = None;
        self.ask = false;
    }

    pub(super) fn mss(&self) -> usize {
        self.sender.mss() as usize
    }

    pub(super) fn data(&self, start: u64, len: usize) -> (&[u8], &[u8]) {
        self.sender.data(start, len)
    }
}
