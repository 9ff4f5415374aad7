//! Evaluating a configuration without Terraform, as far as forms need it.
//!
//! Everything that only a run can know is [`Value::Unknown`], which spreads through expressions
//! and is never an error. No network, no processes; files only from the template itself.

mod convert;
mod expression;
mod functions;
mod module_scope;
mod operators;
mod optional;
mod parameter;
mod prior;
mod render;
mod scope;
mod template;
mod value;
mod world;

#[cfg(test)]
mod tests;

pub use parameter::{RenderedOption, RenderedParameter, RenderedPreset, RenderedValidation};
pub use render::{CODE_REQUIRED, Diagnostic, Owner, RenderError, Rendered, Renderer, Severity};
pub use value::Value;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

impl EvalError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The result of an evaluation.
pub type Result<T = Value> = std::result::Result<T, EvalError>;
