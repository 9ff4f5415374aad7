//! Expressions whose value can be told without evaluating: literals and lists of them.

use hcl_edit::expr::{Expression, ObjectKey};
use serde_json::{Map, Number, Value};

/// The text of a plain string.
pub fn string(expression: &Expression) -> Option<String> {
    match expression {
        Expression::String(s) => Some(s.value().clone()),
        Expression::HeredocTemplate(heredoc) => {
            let mut text = String::new();
            for element in &heredoc.template {
                text.push_str(element.as_literal()?);
            }
            Some(text)
        }
        Expression::Parenthesis(inner) => string(inner.inner()),
        _ => None,
    }
}

/// The name of an object key that is a word or a plain string.
pub fn key(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(ident) | ObjectKey::Expression(Expression::Variable(ident)) => {
            Some(ident.as_str().to_owned())
        }
        ObjectKey::Expression(expression) => string(expression),
    }
}

/// The value of a literal, list or object, if it is constant throughout.
pub fn value(expression: &Expression) -> Option<Value> {
    Some(match expression {
        Expression::Null(_) => Value::Null,
        Expression::Bool(b) => Value::Bool(*b.value()),
        Expression::Number(n) => number(n.value())?,
        Expression::Array(items) => Value::Array(items.iter().map(value).collect::<Option<_>>()?),
        Expression::Object(object) => {
            let mut map = Map::new();
            for (k, v) in object {
                map.insert(key(k)?, value(v.expr())?);
            }
            Value::Object(map)
        }
        Expression::UnaryOp(op) => {
            use hcl_edit::expr::UnaryOperator;
            match (op.operator.value(), value(&op.expr)?) {
                (UnaryOperator::Neg, Value::Number(n)) => match n.as_i64() {
                    Some(i) => Value::from(i.checked_neg()?),
                    None => Value::from(-n.as_f64()?),
                },
                (UnaryOperator::Not, Value::Bool(b)) => Value::Bool(!b),
                _ => return None,
            }
        }
        Expression::Parenthesis(inner) => return value(inner.inner()),
        other => Value::String(string(other)?),
    })
}

fn number(n: &hcl_edit::Number) -> Option<Value> {
    if let Some(i) = n.as_i64() {
        return Some(Value::from(i));
    }
    n.as_f64().and_then(Number::from_f64).map(Value::Number)
}

/// The text that stands for a constant value where Terraform variables travel as strings: plain
/// for strings, numbers and bools, JSON for the rest.
pub fn as_variable_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}
