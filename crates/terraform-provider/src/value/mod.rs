//! The values that travel between host and provider: Terraform's "cty" values, and their two encodings.

mod json;
mod msgpack;
mod number;

use std::collections::BTreeMap;

pub use json::from_state_json;
pub use msgpack::{decode, encode};
pub use number::Number;

/// The attributes of an object, by name.
pub type Object = BTreeMap<String, Value>;

/// A value of any Terraform type. Lists and sets are both sequences, maps and objects both maps: the schema knows
/// which of the two is meant.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// Not known before the plan is applied.
    Unknown,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// A list, set or tuple.
    Sequence(Vec<Value>),
    /// A map or object.
    Map(Object),
}

/// Why bytes are not a value of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The bytes are not in the encoding at all.
    #[error("the value is not valid {encoding}: {reason}")]
    Encoding {
        /// Name of the encoding.
        encoding: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// The value does not have the type that the schema gives it.
    #[error("{path} must be {expected}")]
    Type {
        /// Where in the value, in dotted form.
        path: String,
        /// What the schema asks for.
        expected: &'static str,
    },
}

impl Value {
    /// A string value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// A whole number.
    pub fn int(number: i64) -> Self {
        Self::Number(Number::Int(number))
    }

    /// Whether the value is absent.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether the value is not yet known. Its parts may still be unknown when it is.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The text of a string; `None` for everything else, null and unknown included.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that fits 64 bits; `None` for everything else.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_int(),
            _ => None,
        }
    }

    /// The elements of a sequence; none for everything else, null and unknown included.
    pub fn elements(&self) -> &[Value] {
        match self {
            Self::Sequence(elements) => elements,
            _ => &[],
        }
    }

    /// The attributes of an object; `None` for everything else.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Map(object) => Some(object),
            _ => None,
        }
    }

    /// Whether this is null or its type's zero: what the original's storage could not tell apart, so that a state
    /// written by it holds one where the configuration holds the other.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Unknown => false,
            Self::Bool(value) => !value,
            Self::Number(number) => number.as_int() == Some(0),
            Self::String(text) => text.is_empty(),
            Self::Sequence(elements) => elements.is_empty(),
            Self::Map(object) => object.is_empty(),
        }
    }
}

/// An attribute of an object, null where it is missing.
pub fn field<'a>(object: &'a Object, name: &str) -> &'a Value {
    const ABSENT: &Value = &Value::Null;
    object.get(name).unwrap_or(ABSENT)
}

/// The text of a string attribute, empty where it is null or unknown.
pub fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    field(object, name).as_str().unwrap_or_default()
}
