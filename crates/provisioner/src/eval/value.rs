//! Values of expressions.

use std::collections::BTreeMap;

use serde_json::{Map, Number};

/// A value. Terraform's tuples and lists are one here, as are its objects and maps.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Only a run will know.
    #[default]
    Unknown,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text.
    String(String),
    /// A list or tuple.
    List(Vec<Value>),
    /// A set: sorted, without duplicates.
    Set(Vec<Value>),
    /// A map or object.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// Text as a value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// Whether nothing in it is unknown.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(items) | Self::Set(items) => items.iter().all(Self::is_known),
            Self::Map(map) => map.values().all(Self::is_known),
            _ => true,
        }
    }

    /// The name of its type, for errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown value",
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) => "object",
        }
    }

    /// From JSON.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            serde_json::Value::Number(n) => n.as_f64().map_or(Self::Unknown, Self::Number),
            serde_json::Value::String(s) => Self::String(s.clone()),
            serde_json::Value::Array(a) => Self::List(a.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(o) => Self::Map(
                o.iter()
                    .map(|(k, v)| (k.clone(), Self::from_json(v)))
                    .collect(),
            ),
        }
    }

    /// To JSON; unknown parts become null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Unknown | Self::Null => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Number(n) => json_number(*n),
            Self::String(s) => s.clone().into(),
            Self::List(items) | Self::Set(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(map) => {
                let map: Map<_, _> = map.iter().map(|(k, v)| (k.clone(), v.to_json())).collect();
                map.into()
            }
        }
    }

    /// A set of these values.
    pub fn set(mut items: Vec<Self>) -> Self {
        items.sort_by(order);
        items.dedup();
        Self::Set(items)
    }
}

/// Whole numbers up to here are written without an exponent or fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn json_number(n: f64) -> serde_json::Value {
    if n.fract() == 0.0 && n.abs() <= EXACT {
        return (n as i64).into();
    }
    Number::from_f64(n).map_or(serde_json::Value::Null, Into::into)
}

/// A number as Terraform writes it.
pub(super) fn number_text(n: f64) -> String {
    if n.fract() == 0.0 && n.abs() <= EXACT {
        return format!("{}", n as i64);
    }
    format!("{n}")
}

/// A total order, for sets and `sort`.
pub(super) fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => a.to_json().to_string().cmp(&b.to_json().to_string()),
    }
}
