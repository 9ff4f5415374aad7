//! Operators of expressions.

use hcl_edit::expr::{BinaryOperator as Op, UnaryOperator};

use super::convert::{bool, number};
use super::{EvalError, Result, Value};

/// Applies a unary operator.
pub(super) fn unary(operator: UnaryOperator, value: &Value) -> Result {
    Ok(match operator {
        UnaryOperator::Neg => number(value)?.map_or(Value::Unknown, |n| Value::Number(-n)),
        UnaryOperator::Not => bool(value)?.map_or(Value::Unknown, |b| Value::Bool(!b)),
    })
}

/// Applies a binary operator. One side may decide alone what `&&` and `||` give.
pub(super) fn binary(operator: Op, left: &Value, right: impl FnOnce() -> Result) -> Result {
    match operator {
        Op::And | Op::Or => {
            let decides = operator == Op::Or;
            let a = bool(left)?;
            if a == Some(decides) {
                return Ok(Value::Bool(decides));
            }
            let b = bool(&right()?)?;
            Ok(match (a, b) {
                (_, Some(b)) if b == decides => Value::Bool(decides),
                (Some(_), Some(b)) => Value::Bool(b),
                _ => Value::Unknown,
            })
        }
        Op::Eq | Op::NotEq => {
            let right = right()?;
            let known = left.is_known() && right.is_known();
            // `null` is known to differ from everything that is there.
            Ok(if known {
                Value::Bool((left == &right) == (operator == Op::Eq))
            } else {
                Value::Unknown
            })
        }
        _ => {
            let right = right()?;
            let (Some(a), Some(b)) = (number(left)?, number(&right)?) else {
                return Ok(Value::Unknown);
            };
            arithmetic(operator, a, b)
        }
    }
}

fn arithmetic(operator: Op, a: f64, b: f64) -> Result {
    let n = match operator {
        Op::Plus => a + b,
        Op::Minus => a - b,
        Op::Mul => a * b,
        Op::Div | Op::Mod if b == 0.0 => return Err(EvalError::new("division by zero")),
        Op::Div => a / b,
        Op::Mod => a % b,
        Op::Less => return Ok(Value::Bool(a < b)),
        Op::LessEq => return Ok(Value::Bool(a <= b)),
        Op::Greater => return Ok(Value::Bool(a > b)),
        Op::GreaterEq => return Ok(Value::Bool(a >= b)),
        _ => return Err(EvalError::new("unknown operator")),
    };
    Ok(Value::Number(n))
}
