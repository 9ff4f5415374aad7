//! Which keys of a provider rest: one that was refused or limited is left alone for a while, so that
//! the next serves in its place, and comes back by itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use llm::{Error, ErrorKind};
use parking_lot::Mutex;
use uuid::Uuid;

/// How long a refused key rests when the provider names no time.
const DEFAULT_REST: Duration = Duration::from_mins(1);
/// How long a key that is limited rests then: who asks again waits longer each time anyway.
const LIMITED_REST: Duration = Duration::from_secs(2);
/// A longer wish is cut: a key that was repaired must be found within the hour.
const MAX_REST: Duration = Duration::from_hours(1);

/// Keys that rest, in this process.
#[derive(Debug, Default)]
pub(crate) struct Cooldowns {
    until: Mutex<HashMap<Uuid, Rest>>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    kind: ErrorKind,
}

impl Cooldowns {
    /// Whether the key may be tried; else what stands against it and for how long.
    pub(crate) fn check(&self, key: Uuid, now: Instant) -> Result<(), (ErrorKind, Duration)> {
        let mut all = self.until.lock();
        match all.get(&key) {
            Some(rest) if rest.until > now => Err((rest.kind, rest.until - now)),
            Some(_) => {
                all.remove(&key);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Lets the key rest if `error` speaks against it. Gives whether another key may do better.
    pub(crate) fn mark(&self, key: Uuid, error: &Error, now: Instant) -> bool {
        // 403 speaks of what the key may do, not of the key.
        if !matches!(error.status, 401 | 429) {
            return false;
        }
        let default = match error.status {
            429 => LIMITED_REST,
            _ => DEFAULT_REST,
        };
        let rest = error.retry_after.unwrap_or(default).min(MAX_REST);
        let kind = error.kind;
        let new = Rest {
            until: now + rest,
            kind,
        };
        let mut all = self.until.lock();
        let slot = all.entry(key).or_insert(new);
        // The longest wish counts.
        if slot.until < new.until {
            *slot = new;
        }
        true
    }

    /// The key served: whatever stood against it is over.
    pub(crate) fn served(&self, key: Uuid) {
        self.until.lock().remove(&key);
    }
}

/// Said when no key is left: as limited if waiting helps, else as refused.
pub(crate) fn exhausted(provider: &str, against: &[(ErrorKind, Duration)]) -> Error {
    let limited = against
        .iter()
        .filter(|(kind, _)| *kind != ErrorKind::Auth)
        .map(|(_, wait)| *wait)
        .min();
    let mut error = match limited {
        Some(wait) => {
            let mut error = Error::new(
                ErrorKind::RateLimit,
                "All API keys of the model provider are rate limited.",
            );
            error.retry_after = Some(wait);
            error
        }
        None => Error::new(
            ErrorKind::Auth,
            "The model provider refused all configured API keys. An administrator can replace them.",
        )
        .detail("all configured keys failed authentication"),
    };
    error.status = 502;
    error.provider(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, wait: Option<u64>) -> Error {
        let mut error = Error::new(ErrorKind::RateLimit, "no").status(status);
        error.retry_after = wait.map(Duration::from_secs);
        error
    }

    #[test]
    fn keys_rest_and_come_back() {
        let cooldowns = Cooldowns::default();
        let (key, now) = (Uuid::new_v4(), Instant::now());
        assert!(cooldowns.mark(key, &refused(429, Some(5)), now));
        assert!(cooldowns.mark(key, &refused(401, Some(2)), now));
        let (_, left) = cooldowns.check(key, now).unwrap_err();
        assert_eq!(left, Duration::from_secs(5), "the longest wish counts");
        assert!(cooldowns.check(key, now + Duration::from_secs(5)).is_ok());
        assert!(cooldowns.mark(key, &refused(401, None), now));
        assert!(cooldowns.check(key, now + DEFAULT_REST).is_ok());
    }

    #[test]
    fn what_a_key_may_not_do_is_not_held_against_it() {
        let cooldowns = Cooldowns::default();
        let (key, now) = (Uuid::new_v4(), Instant::now());
        for status in [400, 403, 500, 529] {
            assert!(!cooldowns.mark(key, &refused(status, None), now));
        }
        assert!(cooldowns.check(key, now).is_ok());
    }

    #[test]
    fn exhaustion_says_whether_waiting_helps() {
        let wait = Duration::from_secs(3);
        let both = [(ErrorKind::Auth, wait * 2), (ErrorKind::RateLimit, wait)];
        let error = exhausted("openai", &both);
        assert_eq!((error.retryable, error.retry_after), (true, Some(wait)));
        let error = exhausted("openai", &both[..1]);
        assert_eq!((error.kind, error.status), (ErrorKind::Auth, 502));
        assert!(!error.retryable && error.retry_after.is_none());
    }
}
