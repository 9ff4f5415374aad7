//! UUIDs in their usual form.

use uuid::Uuid;

/// A new random one (version 4).
pub fn random() -> String {
    Uuid::new_v4().to_string()
}

/// Whether the text is a UUID in the form with hyphens, in either case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

/// Whether the text is the UUID of zeros, or is empty: both stand for "none".
pub fn is_nil(text: &str) -> bool {
    text.is_empty() || Uuid::try_parse(text).is_ok_and(|id| id.is_nil())
}
