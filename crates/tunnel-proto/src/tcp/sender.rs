//! The sending half: what to send next, what to send again, and when.
//!
//! Positions count from our SYN, which is 0; our first byte is 1. They never wrap. The FIN takes
//! the position behind the last byte.

mod timers;

use std::time::{Duration, Instant};

use super::board::Board;
use super::congestion::{Ack, Congestion};
use super::pacing::Pacer;
use super::receiver::KEEP;
use super::ring::Ring;
use super::rtt::Rtt;

/// Written bytes that may wait whatever the congestion window: enough for a burst of small writes.
const MIN_BUFFER: u64 = 128 << 10;
/// Pacing in slow start and after it: faster than the acknowledgements, so that it never limits.
const GAIN_SLOW_START: f64 = 2.0;
const GAIN: f64 = 1.25;

/// A part of the stream to put into a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) start: u64,
    /// Bytes of data.
    pub(super) len: usize,
    /// The FIN follows them.
    pub(super) fin: bool,
    /// Nothing more is there to send.
    pub(super) push: bool,
}

/// What the peer said about its window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Position of the segment that said it.
    pub(super) said: u64,
    pub(super) size: u64,
}

/// The sending half.
#[derive(Debug)]
pub(super) struct Sender {
    first: u32,
    una: u64,
    nxt: u64,
    end: u64,
    closing: bool,
    ring: Ring,
    limit: u64,
    mss: u64,
    sack: bool,
    window: u64,
    said: (u64, u64),
    board: Board,
    rtt: Rtt,
    control: Congestion,
    pacer: Pacer,
    /// The window was the limit for data before this position.
    limited_until: u64,
    /// The loss episode lasts until this position is acknowledged.
    recovery: Option<u64>,
    /// Bytes sent again in it that are not known to have been needless.
    repeated: u64,
    backoff: u32,
    /// A probe of the tail is on its way, until this position is acknowledged.
    probed: Option<u64>,
    probe_due: bool,
    retransmit_at: Option<Instant>,
    probe_at: Option<Instant>,
    reorder_at: Option<Instant>,
    window_probe_at: Option<Instant>,
    paced_until: Option<Instant>,
}

impl Sender {
    /// Our SYN had the sequence number `first` and was acknowledged, or will be.
    pub(super) fn new(first: u32, limit: usize) -> Self {
        let mss = super::MSS as u64;
        Self {
            first,
            una: 1,
            nxt: 1,
            end: 1,
            closing: false,
            ring: Ring::default(),
            limit: limit as u64,
            mss,
            sack: false,
            window: 0,
            said: (0, 0),
            board: Board::default(),
            rtt: Rtt::default(),
            control: Congestion::new(mss),
            pacer: Pacer::default(),
            limited_until: 0,
            recovery: None,
            repeated: 0,
            backoff: 0,
            probed: None,
            probe_due: false,
            retransmit_at: None,
            probe_at: None,
            reorder_at: None,
            window_probe_at: None,
            paced_until: None,
        }
    }

    /// The peer's SYN told what it takes.
    pub(super) fn open(&mut self, mss: u64, sack: bool, window: Window) {
        self.mss = mss;
        self.sack = sack;
        self.window = window.size;
        self.said = (window.said, 1);
        self.control = Congestion::new(mss);
    }

    /// Our SYN was acknowledged, after `rtt` if it was sent once.
    pub(super) fn opened(&mut self, rtt: Option<Duration>, now: Instant) {
        if let Some(rtt) = rtt {
            self.rtt.sample(rtt, now);
        }
        self.pace();
    }

    /// The position of an acknowledgement; `None` before our SYN.
    pub(super) fn position(&self, sequence: u32) -> Option<u64> {
        let near = self.first.wrapping_add(self.una as u32);
        let delta = sequence.wrapping_sub(near).cast_signed();
        self.una.checked_add_signed(i64::from(delta))
    }

    pub(super) fn sequence(&self, position: u64) -> u32 {
        self.first.wrapping_add(position as u32)
    }

    pub(super) fn una(&self) -> u64 {
        self.una
    }

    pub(super) fn nxt(&self) -> u64 {
        self.nxt
    }

    pub(super) fn mss(&self) -> u64 {
        self.mss
    }

    pub(super) fn smoothed_rtt(&self) -> Option<Duration> {
        self.rtt.smoothed()
    }

    /// What was never sent.
    pub(super) fn unsent(&self) -> u64 {
        self.last() - self.nxt
    }

    /// Everything written, and the FIN if there is one, was acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.una == self.last()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Our FIN was acknowledged.
    pub(super) fn is_closed(&self) -> bool {
        self.closing && self.is_done()
    }

    /// Our FIN was sent.
    pub(super) fn fin_sent(&self) -> bool {
        self.closing && self.nxt == self.last()
    }

    /// Something is unacknowledged, or waits for the peer's window.
    pub(super) fn is_waiting(&self) -> bool {
        !self.board.is_empty() || self.window_probe_at.is_some()
    }

    fn last(&self) -> u64 {
        self.end + u64::from(self.closing)
    }

    /// How much may be written now. Not more than twice what the path holds waits here, so that
    /// what is written does not grow old.
    pub(super) fn room(&self) -> usize {
        let most = (2 * self.control.window()).max(MIN_BUFFER).min(self.limit);
        most.saturating_sub(self.end - self.una) as usize
    }

    /// Takes bytes to send.
    pub(super) fn write(&mut self, data: &[u8]) -> usize {
        let len = data.len().min(self.room());
        self.ring
            .write((self.end - self.una.min(self.end)) as usize, &data[..len]);
        self.end += len as u64;
        len
    }

    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Data of a segment that was chosen by [`Sender::next`].
    pub(super) fn data(&self, start: u64, len: usize) -> (&[u8], &[u8]) {
        self.ring
            .slices(start.saturating_sub(self.una) as usize, len)
    }

    /// Takes an acknowledgement of `ack`, at most [`Sender::nxt`]. `sack` are positions.
    pub(super) fn acknowledge(
        &mut self,
        ack: u64,
        sack: &[(u64, u64)],
        window: Window,
        now: Instant,
    ) {
        if (window.said, ack) >= self.said {
            self.said = (window.said, ack);
            self.window = window.size;
            if self.window > 0 {
                self.window_probe_at = None;
            }
        }
        if ack < self.una {
            return;
        }
        let (duplicate, sack) = duplicate_of(ack, sack);
        if let Some((from, until)) = duplicate {
            self.needless(until.saturating_sub(from));
        }
        let advanced = ack > self.una;
        if !advanced && sack.is_empty() {
            return;
        }
        let min_rtt = self.rtt.min();
        let got = self.board.acknowledge(ack, sack, min_rtt, now);
        if let Some(rtt) = got.rtt {
            self.rtt.sample(rtt, now);
        }
        let limited = self.una <= self.limited_until;
        if advanced {
            let bytes = ack.min(self.end) - self.una.min(self.end);
            self.ring.advance(bytes as usize);
            self.una = ack;
        }
        if got.revived && self.backoff > 0 {
            // The timer was too short (RFC 5682).
            self.board.revive();
            self.control.undo();
        }
        if advanced {
            self.backoff = 0;
            if self.probed.is_some_and(|probed| ack >= probed) {
                self.probed = None;
            }
            if self.recovery.is_some_and(|point| ack >= point) {
                self.recovery = None;
            }
        }
        if got.bytes > 0 {
            let ack = Ack {
                bytes: got.bytes,
                rtt: got.rtt,
                rate: got.rate,
                una: self.una,
                nxt: self.nxt,
                limited,
                recovering: self.recovery.is_some(),
            };
            self.control.on_ack(ack, self.rtt.min(), now);
        }
        self.detect(now);
        self.pace();
        if got.bytes > 0 || advanced {
            self.arm(now, true);
        }
    }

    /// What was sent again had arrived before: on this path, losses must be judged slower, and the
    /// last reduction was wrong if none of the episode's repetitions was needed.
    fn needless(&mut self, bytes: u64) {
        if self.probed.is_some() {
            // The answer to a probe that was sent for nothing.
            self.probed = None;
            return;
        }
        self.board.widen();
        if self.repeated > 0 {
            self.repeated = self.repeated.saturating_sub(bytes);
            if self.repeated == 0 {
                self.control.undo();
            }
        }
    }

    fn pace(&mut self) {
        let gain = if self.control.in_slow_start() {
            GAIN_SLOW_START
        } else {
            GAIN
        };
        self.pacer
            .set(self.control.window(), gain, self.rtt.smoothed());
    }

    /// The next part to send, if one may be sent now. It counts as sent.
    pub(super) fn next(&mut self, now: Instant) -> Option<Chunk> {
        self.paced_until = None;
        if std::mem::take(&mut self.probe_due)
            && let Some(chunk) = self.probe(now)
        {
            return Some(chunk);
        }
        if self.board.lost() == 0 && self.nxt == self.last() {
            return None;
        }
        if let Some(wait) = self.pacer.wait(now) {
            self.paced_until = Some(wait);
            return None;
        }
        let chunk = self.again(now).or_else(|| self.fresh(now));
        if let Some(chunk) = chunk {
            self.pacer.sent(chunk.len as u64, now);
        }
        chunk
    }

    /// Room in the congestion window.
    fn allowance(&self) -> u64 {
        let burst = self.pacer.burst(self.mss);
        let room = self.control.window().saturating_sub(self.board.flying());
        room.min(burst)
    }

    fn again(&mut self, now: Instant) -> Option<Chunk> {
        let room = self.allowance();
        // One packet may always go: the window may be smaller than what is on its way.
        let room = if room < self.mss && self.board.flying() == 0 {
            self.mss
        } else {
            room - room % self.mss
        };
        let (start, end) = self.board.next_lost(room.max(1))?;
        if room < self.board.lost() {
            self.limited_until = self.nxt;
        }
        if room == 0 {
            return None;
        }
        self.board.resent(start, end, now);
        self.repeated += end - start;
        self.arm(now, self.retransmit_at.is_none());
        Some(self.chunk(start, end))
    }

    fn fresh(&mut self, now: Instant) -> Option<Chunk> {
        let unsent = self.unsent();
        if unsent == 0 || self.board.is_full() {
            return None;
        }
        let usable = (self.una + self.window).saturating_sub(self.nxt);
        if usable == 0 {
            if self.board.is_empty() && self.window_probe_at.is_none() {
                self.window_probe_at = Some(now + self.rtt.timeout(self.backoff));
            }
            return None;
        }
        let room = self.allowance();
        if room < unsent.min(usable) {
            self.limited_until = self.nxt;
        }
        let mut len = unsent.min(usable).min(room);
        if len < unsent && !len.is_multiple_of(self.mss) {
            // No small segments in the middle of a stream, unless the peer's window is so small.
            let whole = len - len % self.mss;
            if whole > 0 || !self.board.is_empty() {
                len = whole;
            }
        }
        if len == 0 {
            return None;
        }
        let start = self.nxt;
        self.send_fresh(start + len, now);
        Some(self.chunk(start, start + len))
    }

    fn send_fresh(&mut self, end: u64, now: Instant) {
        self.board.push(self.nxt, end, now);
        self.nxt = end;
        self.arm(now, false);
    }

    fn chunk(&self, start: u64, end: u64) -> Chunk {
        let fin = end > self.end;
        Chunk {
            start,
            len: (end.min(self.end) - start.min(self.end)) as usize,
            fin,
            push: end >= self.end,
        }
    }

    /// The probe of the tail: new data if there is some, else the last packet again.
    fn probe(&mut self, now: Instant) -> Option<Chunk> {
        let usable = (self.una + self.window).saturating_sub(self.nxt);
        let new = (self.last() - self.nxt).min(usable).min(self.mss);
        let (start, end) = if new > 0 && !self.board.is_full() {
            let start = self.nxt;
            self.send_fresh(start + new, now);
            (start, start + new)
        } else {
            let (start, end) = self.board.last_open(self.mss)?;
            self.board.resent(start, end, now);
            (start, end)
        };
        self.probed = Some(self.nxt);
        self.probe_at = None;
        self.retransmit_at = Some(now + self.rtt.timeout(self.backoff));
        Some(self.chunk(start, end))
    }

    /// True if memory is held for nothing.
    pub(super) fn is_loose(&self) -> bool {
        self.is_done() && self.ring.capacity() > KEEP
    }

    /// Gives memory back, if nothing is in it.
    pub(super) fn tighten(&mut self) {
        if self.is_loose() {
            self.ring.release();
            self.board.release();
        }
    }
}

type Block = (u64, u64);

/// Splits off a first block that tells of a duplicate (RFC 2883).
fn duplicate_of(ack: u64, sack: &[Block]) -> (Option<Block>, &[Block]) {
    let Some((&first, rest)) = sack.split_first() else {
        return (None, sack);
    };
    let below = first.1 <= ack;
    let inside = rest
        .first()
        .is_some_and(|second| second.0 <= first.0 && first.1 <= second.1);
    if below || inside {
        (Some(first), rest)
    } else {
        (None, sack)
    }
}
