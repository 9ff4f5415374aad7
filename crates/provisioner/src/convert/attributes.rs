//! Reading attribute values, which are absent where a plan does not know them yet.

use serde_json::{Map, Value};

/// Attributes of a resource or of a block in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes<'a>(Option<&'a Map<String, Value>>);

impl<'a> Attributes<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self(Some(map))
    }

    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name).filter(|v| !v.is_null())
    }

    /// Text; empty if absent. Numbers and bools are written out.
    pub(super) fn text(self, name: &str) -> String {
        self.get(name).map(as_text).unwrap_or_default()
    }

    pub(super) fn flag(self, name: &str) -> bool {
        self.get(name).is_some_and(as_bool)
    }

    pub(super) fn number(self, name: &str) -> i64 {
        self.get(name).map(as_i64).unwrap_or_default()
    }

    /// A number for a 32-bit field, at its bounds where it does not fit.
    pub(super) fn number32(self, name: &str) -> i32 {
        clamp(self.number(name))
    }

    /// The blocks of this name.
    pub(super) fn blocks(self, name: &str) -> Vec<Attributes<'a>> {
        match self.get(name) {
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(|i| i.as_object().map(Attributes::new))
                .collect(),
            Some(Value::Object(map)) => vec![Attributes::new(map)],
            _ => Vec::new(),
        }
    }

    /// A map of strings.
    pub(super) fn map(self, name: &str) -> Vec<(String, String)> {
        match self.get(name) {
            Some(Value::Object(map)) => map.iter().map(|(k, v)| (k.clone(), as_text(v))).collect(),
            _ => Vec::new(),
        }
    }
}

pub(super) fn clamp(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

fn as_bool(value: &Value) -> bool {
    match value {
        Value::Bool(b) => *b,
        Value::String(s) => s == "true",
        _ => false,
    }
}

fn as_i64(value: &Value) -> i64 {
    match value {
        Value::Number(n) => n
            .as_i64()
            .or_else(|| n.as_f64().map(|f| f as i64))
            .unwrap_or(0),
        Value::String(s) => s.parse().unwrap_or(0),
        _ => 0,
    }
}
