//! How much may be on the way: CUBIC (RFC 9438) with an early end of slow start (HyStart++,
//! RFC 9406), and calm about losses that are no congestion.
//!
//! A packet that vanishes while the round trip shows no queue, on a path that loses little, was
//! not dropped for want of room. Such losses do not shrink the window until they are more than
//! [`CALM_PERCENT`] of what arrives; and while there is no queue, the window grows as in
//! Compound TCP. Where there is a queue, this is CUBIC, which gives up the queue but not what the
//! path itself was seen to carry.

use std::time::{Duration, Instant};

/// RFC 6928.
const INITIAL_WINDOW: f64 = 10.0;
const MIN_WINDOW: f64 = 2.0;
/// More than any receive window allows.
const MAX_WINDOW: f64 = 65_536.0;
const BETA: f64 = 0.7;
const C: f64 = 0.4;
/// Reno-friendly growth: 3 (1 - β) / (1 + β).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// Of the packets of about [`MEMORY`] deliveries, so many may be lost without a queue.
const CALM_PERCENT: f64 = 2.0;
/// … and so many more, for a young connection has delivered little.
const CALM_PACKETS: f64 = 3.0;
/// Packets after which delivered and lost ones count half.
const MEMORY: f64 = 2048.0;
/// Growth without a queue: this part of the window to the power of 3/4, per round trip.
const COMPOUND: f64 = 0.125;
/// On a shorter path every hiccup of a machine is a queue, and recovery is quick anyway.
const MIN_BASE: Duration = Duration::from_micros(500);
/// A quarter more than the smallest round trip is a queue, at least …
const MIN_QUEUE: Duration = Duration::from_millis(1);
/// … and at most so much.
const MAX_QUEUE: Duration = Duration::from_millis(16);
/// More than this many times what the path holds only makes a queue, in which keys wait too. Enough
/// that the path stays full when a loss shrinks the window.
const MAX_FILL: f64 = 2.0;
/// The same in slow start, which must be able to double.
const MAX_FILL_SLOW_START: f64 = 2.25;
/// Whatever the path holds, what it carries in so much time may be on the way: on short paths more
/// time passes in machines than on wires …
const MIN_FILL: Duration = Duration::from_millis(16);
/// … but not less than so many packets, for whom nothing was measured yet, and not more than so many
/// for that reason alone: half a mebibyte.
const MIN_LIMITS: (f64, f64) = (64.0, 430.0);
/// The fastest delivery of so many round trips tells what the path carries.
const RATE_ROUNDS: usize = 10;
/// HyStart++: samples per round before its smallest round trip counts.
const MIN_SAMPLES: u32 = 8;
/// HyStart++: conservative growth is slower by this.
const CONSERVATIVE_DIVISOR: f64 = 4.0;
/// HyStart++: rounds of conservative growth before slow start ends.
const CONSERVATIVE_ROUNDS: u32 = 5;

/// An acknowledgement of new data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ack {
    /// Bytes that arrived.
    pub(super) bytes: u64,
    /// Round trip, if it was measured.
    pub(super) rtt: Option<Duration>,
    /// Bytes per second that arrived while the latest of them was on its way.
    pub(super) rate: Option<f64>,
    /// Everything before this position arrived.
    pub(super) una: u64,
    /// Everything before this position was sent.
    pub(super) nxt: u64,
    /// The window, not the writer, was the limit.
    pub(super) limited: bool,
    /// A loss episode is not over.
    pub(super) recovering: bool,
}

/// What a needless reduction is undone to.
#[derive(Debug, Clone, Copy)]
struct Saved {
    window: f64,
    threshold: f64,
    w_max: f64,
}

/// The congestion window, in full packets.
#[derive(Debug)]
pub(super) struct Congestion {
    mss: f64,
    window: f64,
    threshold: f64,
    w_max: f64,
    /// Begin of the current growth, and the window then.
    epoch: Option<(Instant, f64)>,
    w_est: f64,
    saved: Option<Saved>,
    /// The current loss episode did not shrink the window yet.
    tolerated: bool,
    delivered: f64,
    lost: f64,
    round_end: u64,
    /// Most packets per second of each of the last rounds, a ring.
    rates: [f64; RATE_ROUNDS],
    rate_at: usize,
    samples: u32,
    round_min: Option<Duration>,
    last_round_min: Option<Duration>,
    /// Conservative slow start: the smallest round trip at its begin, and rounds so far.
    conservative: Option<(Duration, u32)>,
}

/// HyStart++: slow start has filled a queue when round trips grow by so much.
fn margin(base: Duration) -> Duration {
    (base / 8).clamp(Duration::from_millis(4), Duration::from_millis(16))
}

impl Congestion {
    pub(super) fn new(mss: u64) -> Self {
        Self {
            mss: mss as f64,
            window: INITIAL_WINDOW,
            threshold: f64::INFINITY,
            w_max: 0.0,
            epoch: None,
            w_est: 0.0,
            saved: None,
            tolerated: false,
            delivered: 0.0,
            lost: 0.0,
            round_end: 0,
            rates: [0.0; RATE_ROUNDS],
            rate_at: 0,
            samples: 0,
            round_min: None,
            last_round_min: None,
            conservative: None,
        }
    }

    /// Bytes that may be on the way.
    pub(super) fn window(&self) -> u64 {
        (self.window * self.mss) as u64
    }

    pub(super) fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    /// True if the round trips of this round show no queue on the way.
    fn no_queue(&self, base: Option<Duration>) -> bool {
        // Of a round that has just begun, a few late answers say little.
        let seen = if self.samples >= MIN_SAMPLES / 2 {
            self.round_min
        } else {
            [self.round_min, self.last_round_min]
                .into_iter()
                .flatten()
                .min()
        };
        let (Some(base), Some(now)) = (base, seen) else {
            return false;
        };
        base >= MIN_BASE && now < base + (base / 4).clamp(MIN_QUEUE, MAX_QUEUE)
    }

    fn loses_little(&self) -> bool {
        self.lost <= self.delivered * CALM_PERCENT / 100.0 + CALM_PACKETS
    }

    /// New data arrived. `base` is the smallest round trip known.
    pub(super) fn on_ack(&mut self, ack: Ack, base: Option<Duration>, now: Instant) {
        let packets = ack.bytes as f64 / self.mss;
        self.delivered += packets;
        if self.delivered > MEMORY {
            self.delivered /= 2.0;
            self.lost /= 2.0;
        }
        self.observe(ack);
        let paused = ack.recovering && !self.tolerated && !self.in_slow_start();
        if !ack.limited || paused {
            // Growth by the clock must not go on while the window is not used.
            if let Some((_, window)) = self.epoch {
                self.epoch = Some((now, window.max(self.window)));
            }
            return;
        }
        let before = self.window;
        if self.in_slow_start() {
            let divisor = if self.conservative.is_some() {
                CONSERVATIVE_DIVISOR
            } else {
                1.0
            };
            self.window += packets / divisor;
        } else {
            self.window += self.avoid(packets, base, now);
        }
        let most = self.limit(base).clamp(before, MAX_WINDOW);
        self.window = self.window.min(most);
    }

    /// Most packets per second that were seen to arrive lately; 0 before the first.
    fn rate(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }

    /// Packets that the path holds without a queue.
    fn held(&self, base: Option<Duration>) -> Option<f64> {
        let held = self.rate() * base?.as_secs_f64();
        (held > 0.0).then_some(held)
    }

    /// What the window should not grow beyond.
    fn limit(&self, base: Option<Duration>) -> f64 {
        let Some(held) = self.held(base) else {
            return MAX_WINDOW;
        };
        let fill = if self.in_slow_start() && self.conservative.is_none() {
            MAX_FILL_SLOW_START
        } else {
            MAX_FILL
        };
        let short = self.rate() * MIN_FILL.as_secs_f64();
        (fill * held).max(short.clamp(MIN_LIMITS.0, MIN_LIMITS.1))
    }

    /// Growth in congestion avoidance.
    fn avoid(&mut self, packets: f64, base: Option<Duration>, now: Instant) -> f64 {
        let (begun, from) = *self.epoch.get_or_insert_with(|| {
            self.w_est = self.window;
            (now, self.window)
        });
        self.w_max = self.w_max.max(from);
        let k = ((self.w_max - from) / C).cbrt();
        let rtt = self.round_min.or(self.last_round_min).unwrap_or_default();
        let t = (now.saturating_duration_since(begun) + rtt).as_secs_f64();
        let target = C * (t - k).powi(3) + self.w_max;
        let target = target.clamp(self.window, self.window * 1.5);
        let alpha = if self.w_est >= self.w_max { 1.0 } else { ALPHA };
        self.w_est += alpha * packets / self.window;
        let mut growth = (target - self.window) / self.window * packets;
        if self.w_est > self.window {
            growth = growth.max(self.w_est - self.window);
        }
        if self.no_queue(base) {
            growth = growth.max(COMPOUND * self.window.powf(-0.25) * packets);
        }
        growth
    }

    /// Follows the round trips of each round, and ends slow start when they grow.
    fn observe(&mut self, ack: Ack) {
        if ack.una > self.round_end {
            self.round_end = ack.nxt;
            self.rate_at = (self.rate_at + 1) % RATE_ROUNDS;
            self.rates[self.rate_at] = 0.0;
            if self.samples > 0 {
                self.last_round_min = self.round_min;
            }
            self.round_min = None;
            self.samples = 0;
            if let Some((_, rounds)) = &mut self.conservative {
                *rounds += 1;
                if *rounds >= CONSERVATIVE_ROUNDS && self.in_slow_start() {
                    self.threshold = self.window;
                    self.conservative = None;
                }
            }
        }
        if let Some(rate) = ack.rate {
            let best = &mut self.rates[self.rate_at];
            *best = best.max(rate / self.mss);
        }
        let Some(rtt) = ack.rtt else {
            return;
        };
        self.samples += 1;
        let min = self.round_min.map_or(rtt, |min| min.min(rtt));
        self.round_min = Some(min);
        if !self.in_slow_start() || self.samples < MIN_SAMPLES {
            return;
        }
        match (self.conservative, self.last_round_min) {
            (Some((baseline, _)), _) if min < baseline => self.conservative = None,
            (None, Some(last)) if min >= last + margin(last) => {
                self.conservative = Some((min, 0));
            }
            _ => {}
        }
    }

    /// `bytes` are found lost; `begins`: the first of an episode.
    pub(super) fn on_loss(&mut self, bytes: u64, begins: bool, base: Option<Duration>) {
        self.lost += bytes as f64 / self.mss;
        if begins {
            self.save();
            self.tolerated = true;
        }
        let little = self.loses_little();
        if self.tolerated && !(little && self.no_queue(base)) {
            self.tolerated = false;
            // A queue may go, but what the path itself holds may stay, as in TCP Westwood.
            let held = self.held(base).filter(|_| little).unwrap_or(0.0);
            let floor = held.min(self.window);
            self.reduce();
            self.threshold = self.threshold.max(floor);
            self.window = self.threshold;
        }
    }

    /// Nothing was heard for too long.
    pub(super) fn on_timeout(&mut self, first: bool) {
        if first {
            self.save();
            self.reduce();
        }
        self.tolerated = false;
        self.window = 1.0;
        self.conservative = None;
    }

    /// The last reduction was needless.
    pub(super) fn undo(&mut self) {
        if let Some(saved) = self.saved.take() {
            self.window = self.window.max(saved.window);
            self.threshold = saved.threshold;
            self.w_max = saved.w_max;
            self.epoch = None;
        }
    }

    fn save(&mut self) {
        self.saved = Some(Saved {
            window: self.window,
            threshold: self.threshold,
            w_max: self.w_max,
        });
    }

    fn reduce(&mut self) {
        // Fast convergence: a flow that shrinks leaves room for others.
        self.w_max = if self.window < self.w_max {
            self.window * (1.0 + BETA) / 2.0
        } else {
            self.window
        };
        self.threshold = (self.window * BETA).max(MIN_WINDOW);
        self.epoch = None;
        self.conservative = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Path {
        control: Congestion,
        now: Instant,
        una: u64,
    }

    impl Path {
        fn new() -> Self {
            Self {
                control: Congestion::new(1000),
                now: Instant::now(),
                una: 0,
            }
        }

        /// One round trip in which the whole window arrives.
        fn round(&mut self, rtt: Duration) {
            let nxt = self.una + self.control.window();
            while self.una < nxt {
                self.una += 1000;
                let ack = Ack {
                    bytes: 1000,
                    rtt: Some(rtt),
                    rate: None,
                    una: self.una,
                    nxt,
                    limited: true,
                    recovering: false,
                };
                self.control.on_ack(ack, Some(50 * MS), self.now);
            }
            self.now += rtt;
        }
    }

    #[test]
    fn slow_start_doubles_and_ends_when_a_queue_grows() {
        let mut path = Path::new();
        for _ in 0..4 {
            path.round(50 * MS);
        }
        assert!((150..170).contains(&(path.control.window() / 1000)));
        for _ in 0..7 {
            path.round(80 * MS);
        }
        assert!(!path.control.in_slow_start());
    }

    #[test]
    fn loss_with_a_queue_shrinks_and_cubic_returns() {
        let mut path = Path::new();
        for _ in 0..5 {
            path.round(50 * MS);
        }
        path.round(100 * MS);
        let before = path.control.window();
        path.control.on_loss(1000, true, Some(50 * MS));
        let after = path.control.window();
        assert!((after as f64 - before as f64 * BETA).abs() < 2000.0);
        for _ in 0..400 {
            path.round(100 * MS);
        }
        assert!(path.control.window() > before);
    }

    #[test]
    fn a_lonely_loss_without_a_queue_is_tolerated_but_many_are_not() {
        let mut path = Path::new();
        for _ in 0..5 {
            path.round(50 * MS);
        }
        let before = path.control.window();
        path.control.on_loss(1000, true, Some(50 * MS));
        assert_eq!(path.control.window(), before);
        path.control.on_loss(50_000, false, Some(50 * MS));
        assert!(path.control.window() < before);
        path.control.undo();
        assert_eq!(path.control.window(), before);
    }

    #[test]
    fn a_timeout_begins_anew() {
        let mut path = Path::new();
        path.round(50 * MS);
        path.control.on_timeout(true);
        assert_eq!(path.control.window(), 1000);
        path.control.on_timeout(false);
        path.control.undo();
        assert_eq!(path.control.window(), 20_000);
    }
}
