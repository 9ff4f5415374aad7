//! Terraform's functions: those that templates use, without those that need a network or a clock.

mod collections;
mod dates;
mod encoding;
mod files;
mod numbers;
mod strings;

use hcl_edit::expr::FuncCall;

use super::expression::Evaluator;
use super::{EvalError, Result, Value};

/// A call's arguments, evaluated.
pub(super) struct Args<'a> {
    pub name: &'a str,
    pub values: Vec<Value>,
}

impl Args<'_> {
    pub(super) fn get(&self, n: usize) -> Result<&Value> {
        self.values.get(n).ok_or_else(|| {
            EvalError::new(format!(
                "{}() needs more than {} arguments",
                self.name,
                self.values.len()
            ))
        })
    }

    pub(super) fn text(&self, n: usize) -> Result<String> {
        super::convert::text(self.get(n)?)?
            .ok_or_else(|| EvalError::new("an unknown value was not expected"))
    }

    pub(super) fn number(&self, n: usize) -> Result<f64> {
        super::convert::number(self.get(n)?)?
            .ok_or_else(|| EvalError::new("an unknown value was not expected"))
    }

    pub(super) fn items(&self, n: usize) -> Result<Vec<Value>> {
        super::convert::items(self.get(n)?)?
            .ok_or_else(|| EvalError::new("an unknown value was not expected"))
    }

    pub(super) fn error(&self, text: impl std::fmt::Display) -> EvalError {
        EvalError::new(format!("{}(): {text}", self.name))
    }
}

/// Evaluates a call.
pub(super) fn call(evaluator: &Evaluator<'_>, call: &FuncCall) -> Result {
    let name = call.name.name.as_str();
    if call.name.is_namespaced() {
        // Functions of providers: only a run has them. Those of the core are the plain ones.
        let core = call
            .name
            .namespace
            .first()
            .is_some_and(|n| n.as_str() == "core");
        if !core {
            return Ok(Value::Unknown);
        }
    }
    // These two decide by whether their arguments can be evaluated at all.
    match name {
        "try" => {
            let mut last = EvalError::new("try() needs an argument");
            for argument in &call.args {
                match evaluator.eval(argument) {
                    Ok(value) => return Ok(value),
                    Err(error) => last = error,
                }
            }
            return Err(last);
        }
        "can" => {
            let argument = call.args.iter().next();
            let outcome = argument.map(|a| evaluator.eval(a));
            return Ok(match outcome {
                Some(Ok(value)) if !value.is_known() => Value::Unknown,
                outcome => Value::Bool(outcome.is_some_and(|o| o.is_ok())),
            });
        }
        _ => {}
    }
    let mut values = Vec::new();
    let last = call.args.len().saturating_sub(1);
    for (n, argument) in call.args.iter().enumerate() {
        let value = evaluator.eval(argument)?;
        if n == last && call.args.expand_final() {
            match super::convert::items(&value)? {
                Some(items) => values.extend(items),
                None => return Ok(Value::Unknown),
            }
        } else {
            values.push(value);
        }
    }
    let args = Args { name, values };
    evaluator.budget.spend(args.values.len() as u64)?;
    // These can do something with values that are known in part.
    if let Some(result) = collections::tolerant(&args) {
        return result;
    }
    if let Some(result) = files::call(evaluator, &args) {
        return result;
    }
    if !args.values.iter().all(Value::is_known) {
        return if is_known_name(name) {
            Ok(Value::Unknown)
        } else {
            Err(unknown(name))
        };
    }
    strict(&args).unwrap_or_else(|| Err(unknown(name)))
}

fn strict(args: &Args<'_>) -> Option<Result> {
    strings::call(args)
        .or_else(|| collections::call(args))
        .or_else(|| numbers::call(args))
        .or_else(|| encoding::call(args))
        .or_else(|| dates::call(args))
}

/// Whether there is such a function, told by its complaint about missing arguments.
fn is_known_name(name: &str) -> bool {
    let args = Args {
        name,
        values: Vec::new(),
    };
    strict(&args).is_some()
}

fn unknown(name: &str) -> EvalError {
    EvalError::new(format!("the function {name}() is not known here"))
}
