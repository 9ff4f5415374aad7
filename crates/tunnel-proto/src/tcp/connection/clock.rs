//! What the clock does to a connection.

use std::time::{Duration, Instant};

use super::{Connection, End, Opening};

/// A SYN without an answer is repeated after so long, then after twice as long and so on.
pub(super) const FIRST_SYN_WAIT: Duration = Duration::from_millis(500);
/// Longest wait between them.
pub(super) const MAX_SYN_WAIT: Duration = Duration::from_secs(8);
/// So long the side that closed first answers repetitions. Segments that are older than this do not
/// get through the tunnel.
pub(super) const TIME_WAIT: Duration = Duration::from_secs(4);
/// Memory of a connection that moved data is given back when it is found empty after so long.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// A question for a sign of life is repeated after so long.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// The acknowledgement of less than a packet waits so long for data that goes the same way: the echo of
/// a key carries the key's, and nobody is woken for it alone. Less than what peers allow for before
/// they probe (RFC 8985 section 7.2).
pub(super) const ACK_DELAY: Duration = Duration::from_millis(5);

impl Connection {
    /// When [`Connection::handle_timeout`], and then [`Connection::poll_transmit`], is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.end.is_some() {
            return None;
        }
        let silent = self.waits().map(|since| since + self.limits.silence);
        let syn = (self.opening != Opening::Open).then_some(self.syn.due);
        [
            silent,
            syn,
            self.sender.deadline(),
            self.ask_at(),
            self.time_wait_until,
            self.tighten_at,
            self.delayed.map(|(_, until)| until),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Since when an answer is missing.
    fn waits(&self) -> Option<Instant> {
        let half_closed = self.limits.orphan && self.sender.is_closed() && !self.is_over();
        self.waiting_since
            .or(self.asked)
            .or(half_closed.then_some(self.heard))
    }

    /// When to ask for a sign of life.
    fn ask_at(&self) -> Option<Instant> {
        let interval = self.limits.keep_alive?;
        if !self.is_established() || self.is_over() || self.sender.is_waiting() {
            return None;
        }
        Some(match self.last_asked {
            Some(at) if self.asked.is_some() => at + ASK_AGAIN,
            _ => self.heard + interval,
        })
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.end.is_some() {
            return;
        }
        let silent = self.waits();
        if silent.is_some_and(|since| since + self.limits.silence <= now) {
            self.reset = self.opening == Opening::Open;
            self.finish(End::TimedOut);
            return;
        }
        if self.time_wait_until.is_some_and(|until| until <= now) {
            self.finish(End::Closed);
            return;
        }
        if self.opening == Opening::Open && self.sender.handle_timeout(now) {
            self.ask = true;
            self.waiting_since.get_or_insert(now);
        }
        if self.ask_at().is_some_and(|at| at <= now) {
            self.ask = true;
            self.asked.get_or_insert(now);
            self.last_asked = Some(now);
        }
        if self.delayed.is_some_and(|(_, until)| until <= now) {
            self.owed = self.owed.max(1);
        }
        if self.tighten_at.is_some_and(|at| at <= now) {
            self.sender.tighten();
            self.receiver.tighten();
            let busy = self.sender.is_loose() || self.sender.is_waiting() || self.unread() > 0;
            self.tighten_at = busy.then_some(now + QUIET);
        }
    }
}
