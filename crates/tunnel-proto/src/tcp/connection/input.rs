//! What segments do to a connection (RFC 9293, 3.10.7).

use std::time::{Duration, Instant};

use super::super::MSS;
use super::super::receiver::{Arrival, Receiver};
use super::super::segment::{MAX_SACK, Segment, flag};
use super::super::sender::Window;
use super::{Connection, End, Opening, WINDOW_SCALE};

/// Smallest segment size that a peer may ask for: with less, headers would be most of the traffic.
const MIN_MSS: u64 = 536;
/// Largest shift of windows (RFC 7323).
const MAX_SCALE: u8 = 14;
/// Answers to segments that may be forged (RFC 5961) are at least so far apart.
const CHALLENGE_INTERVAL: Duration = Duration::from_millis(100);
/// A gap is told so often per bundle: senders without time-based detection count to three.
const MAX_OWED: u8 = 3;

impl Connection {
    /// Takes a segment of this connection. Call [`Connection::poll_transmit`] after the last of a
    /// bundle.
    pub fn handle_segment(&mut self, segment: &Segment<'_>, now: Instant) {
        if self.end.is_some() {
            return;
        }
        if self.opening == Opening::SynSent {
            self.answer(segment, now);
            return;
        }
        let Some(start) = self.receiver.position(segment.sequence) else {
            return;
        };
        let (nxt, edge) = (self.receiver.nxt(), self.receiver.edge());
        let next = start + u64::from(segment.len());
        let fits = start <= edge && next >= nxt;
        if segment.has(flag::RST) {
            if start == nxt {
                let refused = self.opening == Opening::SynReceived;
                self.finish(if refused { End::Refused } else { End::Reset });
            } else if fits {
                self.challenge(now);
            }
            return;
        }
        if segment.has(flag::SYN) {
            if self.opening == Opening::SynReceived && start == 0 {
                // Both asked at once, and this is the peer's answer.
                if segment.has(flag::ACK) && self.acknowledged(segment, start, now) {
                    self.owed = self.owed.max(1);
                    return;
                }
                // Our answer was lost.
                self.syn.due = now;
            } else {
                self.challenge(now);
            }
            return;
        }
        if !segment.has(flag::ACK) {
            return;
        }
        if !fits {
            // Also how probes of a quiet or full connection ask for an answer.
            self.owed = self.owed.max(1);
        }
        if start > edge {
            return;
        }
        self.hear(now);
        if !self.acknowledged(segment, start, now) {
            return;
        }
        self.take(segment, start, now);
        self.after_segment(now);
    }

    fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
        if self.waiting_since.is_some() {
            self.waiting_since = Some(now);
        }
        self.sender.hurry(now);
    }

    /// The state after the peer's SYN.
    pub(super) fn peer_opens(&mut self, syn: &Segment<'_>) {
        self.opening = Opening::SynReceived;
        self.sack = syn.options.sack_permitted;
        self.peer_scale = syn.options.window_scale.map(|scale| scale.min(MAX_SCALE));
        let scale = if self.peer_scale.is_some() {
            WINDOW_SCALE
        } else {
            0
        };
        self.receiver = Receiver::new(syn.sequence, self.limits.receive_window, scale);
        let mss = syn.options.mss.map_or(MSS as u64, u64::from);
        let mss = mss.clamp(MIN_MSS, MSS as u64);
        // Windows of a SYN are not scaled.
        let window = Window {
            said: 0,
            size: u64::from(syn.window),
        };
        self.sender.open(mss, self.sack, window);
    }

    /// A segment that comes while we wait for the answer to our SYN.
    fn answer(&mut self, segment: &Segment<'_>, now: Instant) {
        let acknowledges = segment.has(flag::ACK);
        let ours = segment.acknowledgement == self.first.wrapping_add(1);
        if acknowledges && !ours {
            // From an earlier life: told so, the peer will answer the next SYN.
            return;
        }
        if segment.has(flag::RST) {
            if acknowledges {
                self.finish(End::Refused);
            }
            return;
        }
        if !segment.has(flag::SYN) {
            return;
        }
        self.peer_opens(segment);
        if acknowledges {
            self.opened(now);
            self.take(segment, 0, now);
            self.owed = self.owed.max(1);
        } else {
            // Both asked at once.
            self.syn.due = now;
        }
    }

    /// Our SYN was acknowledged.
    fn opened(&mut self, now: Instant) {
        self.opening = Opening::Open;
        let rtt = self
            .syn
            .sent
            .filter(|_| !self.syn.repeated)
            .map(|sent| now.saturating_duration_since(sent));
        self.sender.opened(rtt, now);
        self.waiting_since = None;
        self.heard = now;
    }

    /// Takes the acknowledgement; false if the segment must not be used.
    fn acknowledged(&mut self, segment: &Segment<'_>, start: u64, now: Instant) -> bool {
        let Some(ack) = self.sender.position(segment.acknowledgement) else {
            return false;
        };
        if self.opening == Opening::SynReceived {
            if ack != 1 {
                return false;
            }
            self.opened(now);
        }
        if ack > self.sender.nxt() {
            self.challenge(now);
            return false;
        }
        let mut blocks = [(0, 0); MAX_SACK];
        let mut count = 0;
        if self.sack {
            for &(from, until) in segment.options.sack() {
                let from = self.sender.position(from);
                let until = self.sender.position(until);
                if let (Some(from), Some(until)) = (from, until)
                    && from < until
                    && until <= self.sender.nxt()
                {
                    blocks[count] = (from, until);
                    count += 1;
                }
            }
        }
        let window = Window {
            said: start,
            size: u64::from(segment.window) << self.peer_scale.unwrap_or(0),
        };
        self.sender.acknowledge(ack, &blocks[..count], window, now);
        true
    }

    /// Takes data and FIN.
    fn take(&mut self, segment: &Segment<'_>, start: u64, now: Instant) {
        let syn = u64::from(segment.has(flag::SYN));
        let fin = segment.has(flag::FIN);
        if segment.payload.is_empty() && !fin {
            return;
        }
        let (was_ended, had_gap) = (self.receiver.is_ended(), self.receiver.has_gap());
        self.tighten_at.get_or_insert(now + super::clock::QUIET);
        match self.receiver.accept(start + syn, segment.payload, fin) {
            Arrival::InOrder if fin || had_gap => self.owed = self.owed.max(1),
            Arrival::InOrder => self.arrived(segment.payload.len() as u64, now),
            Arrival::Early => self.owed = (self.owed + 1).min(MAX_OWED),
            Arrival::Useless => {
                self.owed = self.owed.max(1);
                if let Some(until) = &mut self.time_wait_until {
                    // The peer did not get our last acknowledgement.
                    *until = now + super::clock::TIME_WAIT;
                }
            }
        }
        if self.receiver.is_ended() && !was_ended {
            self.passive = !self.sender.fin_sent();
        }
    }

    /// Less than a packet may wait a moment for its acknowledgement, more may not.
    fn arrived(&mut self, bytes: u64, now: Instant) {
        let (before, until) = self.delayed.unwrap_or((0, now + super::clock::ACK_DELAY));
        self.delayed = Some((before + bytes, until));
        if before + bytes >= self.sender.mss() {
            self.owed = self.owed.max(1);
        }
    }

    /// An answer that tells the peer where we are, unless one was just sent.
    fn challenge(&mut self, now: Instant) {
        let recent = self
            .challenged
            .is_some_and(|at| now.saturating_duration_since(at) < CHALLENGE_INTERVAL);
        if !recent {
            self.challenged = Some(now);
            self.owed = self.owed.max(1);
        }
    }

    /// Draws the consequences of what arrived.
    fn after_segment(&mut self, now: Instant) {
        if !self.sender.is_waiting() {
            self.waiting_since = None;
        }
        if !(self.sender.is_closed() && self.receiver.is_ended()) || self.is_over() {
            return;
        }
        if self.passive {
            self.finish(End::Closed);
        } else {
            self.time_wait_until = Some(now + super::clock::TIME_WAIT);
        }
    }
}
