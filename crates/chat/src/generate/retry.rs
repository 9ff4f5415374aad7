//! What becomes of a failed attempt: another one, later, or the end of the turn.

use std::time::Duration;

use api_types::{ChatError, ChatErrorKind, ChatStreamRetry};
use llm::{Error, ErrorKind};

/// After so many attempts at one step the turn fails.
pub const MAX_ATTEMPTS: i64 = 25;
/// Longest pause that we choose ourselves.
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// Longest pause that a provider may ask for: beyond, people rather hear that it failed.
const MAX_ASKED: Duration = Duration::from_mins(10);

/// How long to wait after attempt `n` failed, if it is tried again at all.
pub fn pause(error: &Error, n: i64) -> Option<Duration> {
    if !error.retryable || n >= MAX_ATTEMPTS {
        return None;
    }
    let doublings = u32::try_from(n.clamp(1, 30) - 1).unwrap_or(0);
    let own = Duration::from_secs(1)
        .saturating_mul(1 << doublings.min(16))
        .min(MAX_PAUSE);
    match error.retry_after {
        Some(asked) if asked > MAX_ASKED => None,
        Some(asked) => Some(own.max(asked)),
        None => Some(own),
    }
}

/// The error as people see it.
pub fn chat_error(error: &Error) -> ChatError {
    ChatError {
        message: error.message.clone(),
        detail: error.detail.clone(),
        kind: ChatErrorKind::from(error.kind.as_str()),
        provider: error.provider.clone(),
        retryable: error.retryable,
        status_code: i32::from(error.status),
    }
}

/// What people see while the next attempt is waited for.
pub fn retry_state(error: &Error, n: i64, pause: Duration) -> ChatStreamRetry {
    ChatStreamRetry {
        attempt: n,
        delay_ms: i64::try_from(pause.as_millis()).unwrap_or(i64::MAX),
        error: error.message.clone(),
        kind: ChatErrorKind::from(error.kind.as_str()),
        provider: error.provider.clone(),
        status_code: i32::from(error.status),
        retrying_at: chrono::Utc::now() + pause,
    }
}

/// Nothing came for so long.
pub fn silence(after: Duration) -> Error {
    Error::new(
        ErrorKind::StreamSilence,
        format!(
            "The model provider sent nothing for {} minutes.",
            after.as_secs() / 60
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_heed_the_provider_and_end() {
        let error = Error::new(ErrorKind::Overloaded, "busy");
        let secs = |n| pause(&error, n).map(|p| p.as_secs());
        assert_eq!(
            [1, 2, 3, 7, 20].map(secs),
            [Some(1), Some(2), Some(4), Some(60), Some(60)]
        );
        assert_eq!(secs(MAX_ATTEMPTS), None);
        let mut asked = error.clone();
        asked.retry_after = Some(Duration::from_secs(30));
        assert_eq!(pause(&asked, 1), Some(Duration::from_secs(30)));
        asked.retry_after = Some(Duration::from_hours(1));
        assert_eq!(pause(&asked, 1), None);
        assert_eq!(pause(&Error::new(ErrorKind::Auth, "no"), 1), None);
    }
}
