//! How often one client may ask, per path: a sliding minute.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const WINDOW: Duration = Duration::from_mins(1);
/// Counters held at most, 40 bytes each; beyond, those of past minutes go, then all.
const MAX_COUNTERS: usize = 100_000;

/// A class of requests with its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Most requests (`--api-rate-limit`).
    Api,
    /// Sign-in and passwords.
    Login,
    /// Uploads and downloads of archives.
    Files,
}

/// Requests per minute for sign-in and passwords.
const LOGIN: u32 = 60;
/// Requests per minute for archives.
const FILES: u32 = 12;

#[derive(Clone, Copy)]
struct Counter {
    /// Number of the minute that `current` counts.
    minute: u64,
    current: u32,
    previous: u32,
}

/// Counters by client and path.
pub struct RateLimits {
    api: Option<u32>,
    off: bool,
    start: Instant,
    hasher: RandomState,
    counters: Mutex<HashMap<u64, Counter>>,
}

/// What a client is told about its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) limit: u32,
    /// Seconds to wait; none if the request may go on.
    pub(crate) wait: Option<u64>,
}

impl RateLimits {
    /// With `api` requests per minute for most paths, none if unlimited; all
    /// limits off with `off`.
    pub fn new(api: Option<u32>, off: bool) -> Self {
        RateLimits {
            api,
            off,
            start: Instant::now(),
            hasher: RandomState::new(),
            counters: Mutex::default(),
        }
    }

    fn limit(&self, class: Limit) -> Option<u32> {
        if self.off {
            return None;
        }
        match class {
            Limit::Api => self.api,
            Limit::Login => Some(LOGIN),
            Limit::Files => Some(FILES),
        }
    }

    /// Counts a request of a client on a path. None if it is not limited.
    pub(crate) fn count(&self, class: Limit, client: &str, path: &str) -> Option<Verdict> {
        let limit = self.limit(class)?;
        let key = self.hasher.hash_one((client, path));
        Some(self.count_at(limit, key, self.start.elapsed()))
    }

    fn count_at(&self, limit: u32, key: u64, now: Duration) -> Verdict {
        let minute = now.as_secs() / WINDOW.as_secs();
        let into = now.as_secs() % WINDOW.as_secs();
        let mut counters = self.counters.lock();
        if counters.len() >= MAX_COUNTERS && !counters.contains_key(&key) {
            counters.retain(|_, counter| counter.minute + 1 >= minute);
            if counters.len() >= MAX_COUNTERS {
                counters.clear();
            }
        }
        let counter = counters.entry(key).or_insert(Counter {
            minute,
            current: 0,
            previous: 0,
        });
        if counter.minute != minute {
            counter.previous = if counter.minute + 1 == minute {
                counter.current
            } else {
                0
            };
            counter.current = 0;
            counter.minute = minute;
        }
        // The past minute counts by the part of it that still is in the window.
        let left = WINDOW.as_secs() - into;
        let rate =
            u64::from(counter.previous) * left / WINDOW.as_secs() + u64::from(counter.current);
        if rate >= u64::from(limit) {
            return Verdict {
                limit,
                wait: Some(left),
            };
        }
        counter.current += 1;
        Verdict { limit, wait: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let limits = RateLimits::new(Some(10), false);
        let at = |seconds| Duration::from_secs(seconds);
        for _ in 0..10 {
            assert_eq!(limits.count_at(10, 1, at(0)).wait, None);
        }
        assert_eq!(limits.count_at(10, 1, at(30)).wait, Some(30));
        // Half of the past minute's ten still count.
        for _ in 0..5 {
            assert_eq!(limits.count_at(10, 1, at(90)).wait, None);
        }
        assert!(limits.count_at(10, 1, at(90)).wait.is_some());
        assert_eq!(limits.count_at(10, 2, at(90)).wait, None, "another client");
        assert_eq!(limits.count_at(10, 1, at(300)).wait, None);
    }

    #[test]
    fn off_means_off() {
        assert_eq!(
            RateLimits::new(Some(0), true).count(Limit::Login, "a", "/"),
            None
        );
        assert_eq!(
            RateLimits::new(None, false).count(Limit::Api, "a", "/"),
            None
        );
    }
}
