//! A token bucket.

use std::time::Duration;

use tokio::time::Instant;

/// Lets `burst` things happen at once, and one more each `interval`.
pub(crate) struct TokenBucket {
    tokens: u32,
    burst: u32,
    interval: Duration,
    refilled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(burst: u32, interval: Duration, now: Instant) -> Self {
        Self {
            tokens: burst,
            burst,
            interval,
            refilled: now,
        }
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        while self.tokens < self.burst && now.duration_since(self.refilled) >= self.interval {
            self.tokens += 1;
            self.refilled += self.interval;
        }
        if self.tokens == self.burst {
            self.refilled = now;
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refills_at_its_rate_up_to_its_size() {
        let second = Duration::from_secs(1);
        let begin = Instant::now();
        let mut bucket = TokenBucket::new(3, second, begin);
        let taken = |bucket: &mut TokenBucket, now| (0..10).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, begin), 3);
        assert_eq!(taken(&mut bucket, begin + second / 2), 0);
        assert_eq!(taken(&mut bucket, begin + second * 2), 2);
        assert_eq!(taken(&mut bucket, begin + second * 1000), 3);
    }
}
