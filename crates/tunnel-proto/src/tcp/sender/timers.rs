//! What the sending half does by the clock: losses found late, probes, retransmission.

use std::time::{Duration, Instant};

use super::Sender;

/// Probes of the tail are not sent earlier: peers answer by the bundle.
const MIN_PROBE: Duration = Duration::from_millis(5);
/// A peer may delay the answer to a single segment by so much.
const DELAYED_ACK: Duration = Duration::from_millis(40);

impl Sender {
    /// Looks for losses.
    pub(super) fn detect(&mut self, now: Instant) {
        let (lost, again) = self.board.detect(
            self.mss,
            self.recovery.is_some(),
            self.rtt.min(),
            self.rtt.smoothed(),
            now,
        );
        self.reorder_at = again;
        if lost > 0 {
            let begins = self.recovery.is_none();
            if begins {
                self.recovery = Some(self.nxt);
                self.repeated = 0;
            }
            self.control.on_loss(lost, begins, self.rtt.min());
        }
    }

    /// Sets the timers after something was sent, or (`fresh`) something was heard.
    pub(super) fn arm(&mut self, now: Instant, fresh: bool) {
        if self.board.is_empty() {
            self.retransmit_at = None;
            self.probe_at = None;
            return;
        }
        if fresh || self.retransmit_at.is_none() {
            self.retransmit_at = Some(now + self.rtt.timeout(self.backoff));
        }
        let may_probe = self.sack
            && self.probed.is_none()
            && self.recovery.is_none()
            && self.backoff == 0
            && !self.board.has_gap();
        self.probe_at = may_probe
            .then(|| {
                let smoothed = self.rtt.smoothed()?;
                let alone = self.board.flying() <= self.mss;
                let delayed = if alone { DELAYED_ACK } else { Duration::ZERO };
                Some(now + (smoothed * 2).max(MIN_PROBE) + delayed)
            })
            .flatten();
    }

    /// The peer is heard again after timeouts: no reason to wait any longer.
    pub(in super::super) fn hurry(&mut self, now: Instant) {
        if self.backoff > 1
            && let Some(at) = &mut self.retransmit_at
        {
            *at = (*at).min(now);
        }
    }

    /// When [`Sender::handle_timeout`] or [`Sender::next`] is due.
    pub(in super::super) fn deadline(&self) -> Option<Instant> {
        [
            self.retransmit_at,
            self.probe_at,
            self.reorder_at,
            self.window_probe_at,
            self.paced_until,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due; true if the peer's window should be probed.
    pub(in super::super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.reorder_at) {
            self.detect(now);
        }
        if due(self.retransmit_at) {
            self.control.on_timeout(self.backoff == 0);
            self.board.lose_all();
            self.backoff = (self.backoff + 1).min(16);
            self.recovery = Some(self.nxt);
            self.repeated = 0;
            self.probed = None;
            self.probe_at = None;
            self.probe_due = false;
            self.reorder_at = None;
            self.retransmit_at = Some(now + self.rtt.timeout(self.backoff));
            self.pace();
        } else if due(self.probe_at) {
            self.probe_at = None;
            self.probe_due = true;
        }
        if due(self.window_probe_at) {
            self.backoff = (self.backoff + 1).min(16);
            self.window_probe_at = Some(now + self.rtt.timeout(self.backoff));
            return true;
        }
        false
    }
}
