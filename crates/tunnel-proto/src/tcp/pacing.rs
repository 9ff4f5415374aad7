//! Spreads a window over the round trip, so that short queues on the way do not overflow.

use std::time::{Duration, Instant};

use super::MAX_BURST;

/// Shorter round trips are not paced: timers are coarser than the gaps would be.
const MIN_RTT: Duration = Duration::from_millis(2);
/// What is sent at once is about so much of the rate.
const QUANTUM: Duration = Duration::from_millis(2);
/// A machine that was busy may catch up a quarter of a round trip, at least a quantum and at most
/// this.
const MAX_CREDIT: Duration = Duration::from_millis(10);
/// At least so many packets at once.
const MIN_BURST: u64 = 4;

/// The next moment to send.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    next: Option<Instant>,
    /// Bytes per second; 0: not paced.
    rate: f64,
    /// How much a late sender may catch up.
    credit: Duration,
}

impl Pacer {
    /// `window` bytes go out per round trip, `gain` times as fast as they come back.
    pub(super) fn set(&mut self, window: u64, gain: f64, rtt: Option<Duration>) {
        self.rate = match rtt {
            Some(rtt) if rtt >= MIN_RTT => gain * window as f64 / rtt.as_secs_f64(),
            _ => 0.0,
        };
        self.credit = (rtt.unwrap_or_default() / 4).clamp(QUANTUM, MAX_CREDIT);
    }

    /// When to send again, if that is later than now.
    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        self.next.filter(|next| self.rate > 0.0 && *next > now)
    }

    /// Most bytes to send at once.
    pub(super) fn burst(&self, mss: u64) -> u64 {
        let most = MAX_BURST as u64;
        if self.rate == 0.0 {
            return most * mss;
        }
        let packets = (self.rate * QUANTUM.as_secs_f64()) as u64 / mss;
        packets.clamp(MIN_BURST, most) * mss
    }

    /// `bytes` were sent.
    pub(super) fn sent(&mut self, bytes: u64, now: Instant) {
        if self.rate > 0.0 {
            let from = self
                .next
                .unwrap_or(now)
                .max(now.checked_sub(self.credit).unwrap_or(now));
            self.next = Some(from + Duration::from_secs_f64(bytes as f64 / self.rate));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_rate_and_catches_up_a_little() {
        let (mut pacer, begun) = (Pacer::default(), Instant::now());
        pacer.set(1_000_000, 1.0, Some(Duration::from_millis(100)));
        let (mut now, mut sent) = (begun, 0);
        while now < begun + Duration::from_secs(1) {
            while pacer.wait(now).is_none() {
                let burst = pacer.burst(1000);
                pacer.sent(burst, now);
                sent += burst;
            }
            // A timer that is up to 2 ms late.
            now += Duration::from_micros(1300);
        }
        assert!((9_500_000..10_500_000).contains(&sent), "{sent}");
    }

    #[test]
    fn short_round_trips_are_not_paced() {
        let (mut pacer, now) = (Pacer::default(), Instant::now());
        pacer.set(1_000_000, 1.0, Some(Duration::from_micros(200)));
        pacer.sent(100_000, now);
        assert_eq!(pacer.wait(now), None);
    }
}
