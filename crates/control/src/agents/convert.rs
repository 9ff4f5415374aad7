//! Between protocol values and ours.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use uuid::Uuid;

use super::invalid;
use crate::Result;

/// An id as it travels: 16 bytes.
pub(super) fn id(bytes: &[u8], what: &str) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| invalid(format!("{what} must be a UUID of 16 bytes")))
}

/// A time as it travels; `None` if absent, zero or out of range.
pub(super) fn time(stamp: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    let stamp = stamp?;
    if stamp.seconds <= 0 {
        return None;
    }
    DateTime::from_timestamp(stamp.seconds, u32::try_from(stamp.nanos).ok()?)
}

/// A time on its way.
pub(super) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: at.timestamp(),
        nanos: at.timestamp_subsec_nanos().cast_signed(),
    }
}

/// A duration of so many seconds; negative ones count as none.
pub(super) fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: seconds.max(0),
        nanos: 0,
    }
}

/// A duration on its way.
pub(super) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: duration.as_secs().try_into().unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}

/// Text for the database, which holds no NUL.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "❌")
}

/// The beginning of a text, at most `max` bytes, cut between characters.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_ids_and_times_are_told_apart_from_good_ones() {
        let uuid = Uuid::from_u128(7);
        assert_eq!(id(uuid.as_bytes(), "x").unwrap(), uuid);
        assert!(id(b"short", "x").is_err());
        let stamp = |seconds, nanos| time(Some(&Timestamp { seconds, nanos }));
        assert!(stamp(1, 5).is_some());
        assert_eq!(stamp(0, 0), None);
        assert_eq!(stamp(i64::MAX, 0), None);
        assert_eq!(stamp(1, -1), None);
        assert_eq!(time(None), None);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 3), "");
        assert_eq!(text("a\0b"), "a❌b");
    }
}
