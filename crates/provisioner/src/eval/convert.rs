//! Conversions between types, as Terraform does them by itself.

use super::value::number_text;
use super::{EvalError, Result, Value};

/// As text; `None` if unknown.
///
/// # Errors
/// For null, lists and objects.
pub(super) fn text(value: &Value) -> Result<Option<String>> {
    Ok(Some(match value {
        Value::Unknown => return Ok(None),
        Value::String(s) => s.clone(),
        Value::Number(n) => number_text(*n),
        Value::Bool(b) => b.to_string(),
        other => {
            return Err(EvalError::new(format!(
                "a string is needed, not {}",
                other.kind()
            )));
        }
    }))
}

/// As a number; `None` if unknown.
///
/// # Errors
/// When it is none.
pub(super) fn number(value: &Value) -> Result<Option<f64>> {
    match value {
        Value::Unknown => Ok(None),
        Value::Number(n) => Ok(Some(*n)),
        Value::String(s) => match s.trim().parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(Some(n)),
            _ => Err(EvalError::new(format!("a number is needed, not {s:?}"))),
        },
        other => Err(EvalError::new(format!(
            "a number is needed, not {}",
            other.kind()
        ))),
    }
}

/// As a bool; `None` if unknown.
///
/// # Errors
/// When it is none.
pub(super) fn bool(value: &Value) -> Result<Option<bool>> {
    match value {
        Value::Unknown => Ok(None),
        Value::Bool(b) => Ok(Some(*b)),
        Value::String(s) if s == "true" || s == "1" => Ok(Some(true)),
        Value::String(s) if s == "false" || s == "0" => Ok(Some(false)),
        other => Err(EvalError::new(format!(
            "a bool is needed, not {}",
            other.kind()
        ))),
    }
}

/// Its items; `None` if unknown.
///
/// # Errors
/// When it has none.
pub(super) fn items(value: &Value) -> Result<Option<Vec<Value>>> {
    match value {
        Value::Unknown => Ok(None),
        Value::List(items) | Value::Set(items) => Ok(Some(items.clone())),
        other => Err(EvalError::new(format!(
            "a list is needed, not {}",
            other.kind()
        ))),
    }
}

/// A template variable's text as a value of its declared type.
pub(super) fn variable(kind: &str, text: &str) -> Value {
    match kind {
        "number" => number(&Value::text(text))
            .ok()
            .flatten()
            .map_or(Value::Null, Value::Number),
        "bool" => bool(&Value::text(text))
            .ok()
            .flatten()
            .map_or(Value::Null, Value::Bool),
        "string" | "" | "any" => Value::text(text),
        kind => match serde_json::from_str(text) {
            Ok(json) => typed(kind, Value::from_json(&json)),
            Err(_) => Value::text(text),
        },
    }
}

/// A value of a declared collection type.
pub(super) fn typed(kind: &str, value: Value) -> Value {
    match value {
        Value::List(items) if kind.starts_with("set(") => Value::set(items),
        other => other,
    }
}
