//! `optional(…)` in the type of a variable.

use hcl_edit::expr::Expression;

use super::Value;
use crate::hcl::constant;

/// Adds what `optional(…)` in an object type says to a value that leaves it out.
pub(super) fn with_optional(kind: &Expression, value: Value) -> Value {
    let Expression::FuncCall(call) = kind else {
        return value;
    };
    let argument = call.args.iter().next();
    match (call.name.name.as_str(), argument, value) {
        ("object", Some(Expression::Object(fields)), Value::Map(mut map)) => {
            for (key, field) in fields {
                let Some(name) = constant::key(key) else {
                    continue;
                };
                let (inner, default) = match field.expr() {
                    Expression::FuncCall(f) if f.name.name.as_str() == "optional" => {
                        (f.args.get(0), Some(f.args.get(1)))
                    }
                    other => (Some(other), None),
                };
                let current = match (map.remove(&name), default) {
                    (Some(value), None) => Some(value),
                    (Some(value), Some(_)) if value != Value::Null => Some(value),
                    (_, Some(default)) => Some(
                        default
                            .and_then(constant::value)
                            .map_or(Value::Null, |json| Value::from_json(&json)),
                    ),
                    (None, None) => None,
                };
                if let Some(value) = current {
                    let value = match inner {
                        Some(inner) => with_optional(inner, value),
                        None => value,
                    };
                    map.insert(name, value);
                }
            }
            Value::Map(map)
        }
        ("list" | "set", Some(inner), Value::List(items)) => {
            Value::List(items.into_iter().map(|v| with_optional(inner, v)).collect())
        }
        ("map", Some(inner), Value::Map(map)) => Value::Map(
            map.into_iter()
                .map(|(k, v)| (k, with_optional(inner, v)))
                .collect(),
        ),
        (_, _, value) => value,
    }
}
