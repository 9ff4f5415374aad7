//! Round-trip times: the smoothed one for timers (RFC 6298) and the smallest for queue detection.

use std::time::{Duration, Instant};

/// Timer before the first sample.
const INITIAL_RTO: Duration = Duration::from_secs(1);
/// The timer leaves at least so much beyond the smoothed time: on a busy machine a peer may answer
/// late. With tail probes the timer is rarely needed.
const RTO_MARGIN: Duration = Duration::from_millis(100);
/// Longest wait between retransmissions: a laptop that wakes up is met again soon.
const MAX_RTO: Duration = Duration::from_secs(15);
/// The smallest time counts for one to two of these; then the path may have changed.
const MIN_WINDOW: Duration = Duration::from_secs(30);
/// The clock's grain, so that nothing divides by zero.
const GRAIN: Duration = Duration::from_micros(1);

/// Round-trip times of one connection.
#[derive(Debug, Default)]
pub(super) struct Rtt {
    smoothed: Option<Duration>,
    variance: Duration,
    current_min: Option<Duration>,
    previous_min: Option<Duration>,
    window_began: Option<Instant>,
}

impl Rtt {
    pub(super) fn sample(&mut self, rtt: Duration, now: Instant) {
        let rtt = rtt.max(GRAIN);
        match self.smoothed {
            None => {
                self.smoothed = Some(rtt);
                self.variance = rtt / 2;
            }
            Some(smoothed) => {
                self.variance = (self.variance * 3 + smoothed.abs_diff(rtt)) / 4;
                self.smoothed = Some((smoothed * 7 + rtt) / 8);
            }
        }
        let began = *self.window_began.get_or_insert(now);
        if now.saturating_duration_since(began) > MIN_WINDOW {
            self.previous_min = self.current_min.take();
            self.window_began = Some(now);
        }
        self.current_min = Some(self.current_min.map_or(rtt, |min| min.min(rtt)));
    }

    /// Smoothed; `None` before the first sample.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The smallest of the last half minute or more.
    pub(super) fn min(&self) -> Option<Duration> {
        [self.current_min, self.previous_min]
            .into_iter()
            .flatten()
            .min()
    }

    /// The retransmission timer after `backoff` timeouts in a row.
    pub(super) fn timeout(&self, backoff: u32) -> Duration {
        let base = match self.smoothed {
            None => INITIAL_RTO,
            Some(smoothed) => smoothed + (self.variance * 4).max(RTO_MARGIN),
        };
        base.saturating_mul(1 << backoff.min(10)).min(MAX_RTO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn timer_follows_samples_and_doubles() {
        let (mut rtt, now) = (Rtt::default(), Instant::now());
        assert_eq!(rtt.timeout(0), INITIAL_RTO);
        rtt.sample(40 * MS, now);
        assert_eq!(rtt.timeout(0), 140 * MS);
        for _ in 0..100 {
            rtt.sample(40 * MS, now);
        }
        assert_eq!(rtt.timeout(0), 140 * MS);
        assert_eq!(rtt.timeout(2), 560 * MS);
        assert_eq!(rtt.timeout(31), MAX_RTO);
    }

    #[test]
    fn the_smallest_time_is_forgotten_after_a_while() {
        let (mut rtt, now) = (Rtt::default(), Instant::now());
        rtt.sample(10 * MS, now);
        rtt.sample(50 * MS, now + MIN_WINDOW / 2);
        assert_eq!(rtt.min(), Some(10 * MS));
        rtt.sample(50 * MS, now + MIN_WINDOW * 2);
        assert_eq!(rtt.min(), Some(10 * MS));
        rtt.sample(50 * MS, now + MIN_WINDOW * 4);
        assert_eq!(rtt.min(), Some(50 * MS));
    }
}
