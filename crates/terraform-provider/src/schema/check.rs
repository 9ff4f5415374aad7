//! What a single value must satisfy, and the words for when it does not.

use crate::text::{go_url, uuid};
use crate::value::Value;

/// A rule for a known value.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A whole number of at least this.
    AtLeast(i64),
    /// A whole number between these, both included.
    Between(i64, i64),
    /// A text that is not empty.
    NotEmpty,
    /// A text of at most this many bytes.
    MaxLength(usize),
    /// A text that parses as a URL; a path alone will do.
    Url,
    /// A UUID.
    Uuid,
    /// A rule of its own. It is given the value and the attribute's name.
    Custom(fn(&Value, &str) -> Vec<Finding>),
}

/// What a check has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The value cannot be accepted.
    Error(String),
    /// The value is accepted with a remark.
    Warning(String),
}

impl Check {
    /// Applies the rule to a known value of the attribute's type.
    pub fn apply(&self, value: &Value, name: &str) -> Vec<Finding> {
        let error = match self {
            Self::OneOf(allowed) => {
                let text = value.as_str().unwrap_or_default();
                (!allowed.contains(&text))
                    .then(|| format!("expected {name} to be one of {allowed:?}, got {text:?}"))
            }
            Self::AtLeast(least) => match value.as_int() {
                Some(number) if number < *least => Some(format!(
                    "expected {name} to be at least {least}, got {number}"
                )),
                _ => None,
            },
            Self::Between(least, most) => match value.as_int() {
                Some(number) if number < *least || number > *most => Some(format!(
                    "expected {name} to be in the range {least} to {most}, got {number}"
                )),
                _ => None,
            },
            Self::NotEmpty => (value.as_str() == Some(""))
                .then(|| format!("expected {name} to be a text that is not empty")),
            Self::MaxLength(most) => {
                let length = value.as_str().map_or(0, str::len);
                (length > *most).then(|| {
                    format!("{name} is too long: {length} characters, of which {most} are allowed")
                })
            }
            Self::Url => value
                .as_str()
                .and_then(|text| go_url::check(text).err())
                .map(|reason| format!("{name} is not a valid URL: {reason}")),
            Self::Uuid => value
                .as_str()
                .filter(|text| !uuid::is_uuid(text))
                .map(|text| format!("expected {name} to be a UUID, got {text:?}")),
            Self::Custom(check) => return check(value, name),
        };
        error.map(Finding::Error).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Finding};
    use crate::value::Value;

    fn fails(check: Check, value: impl Into<Value>) -> bool {
        match check.apply(&value.into(), "x").as_slice() {
            [] => false,
            [Finding::Error(text)] => {
                assert!(text.contains('x'), "names the attribute: {text}");
                true
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_rule_takes_its_bounds_and_refuses_what_lies_beyond() {
        assert!(!fails(Check::OneOf(&["a", "b"]), Value::text("b")));
        assert!(fails(Check::OneOf(&["a", "b"]), Value::text("B")));
        assert!(!fails(Check::AtLeast(0), Value::int(0)));
        assert!(fails(Check::AtLeast(0), Value::int(-1)));
        assert!(!fails(Check::Between(0, 100), Value::int(100)));
        assert!(fails(Check::Between(0, 100), Value::int(101)));
        assert!(fails(Check::NotEmpty, Value::text("")));
        assert!(!fails(Check::MaxLength(3), Value::text("abc")));
        assert!(fails(Check::MaxLength(3), Value::text("é🙂")));
        assert!(!fails(Check::Url, Value::text("/icon/x.svg")));
        assert!(fails(Check::Url, Value::text("http://[::1")));
        assert!(fails(Check::Uuid, Value::text("x")));
        assert!(!fails(
            Check::Uuid,
            Value::text("6FC86ab6-2083-496f-b193-5b32f39beeef")
        ));
    }
}
