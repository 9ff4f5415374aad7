//! The one shape of the tools of every server: what the model is told, and a function from
//! arguments to a value, or to words that say why there is none.

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::args::Args;
use super::{Tool, ToolAnswer, ToolContext};

/// Why a call failed, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed(pub(super) String);

impl From<String> for Failed {
    fn from(words: String) -> Self {
        Failed(words)
    }
}

impl From<&str> for Failed {
    fn from(words: &str) -> Self {
        Failed(words.to_owned())
    }
}

impl From<client::Error> for Failed {
    fn from(error: client::Error) -> Self {
        Failed(error.to_string())
    }
}

/// What a call comes to.
pub(super) type Done = Result<Value, Failed>;

/// What a tool does.
pub(super) type Run = for<'a> fn(&'a ToolContext, Args) -> BoxFuture<'a, Done>;

/// A tool that is a function.
pub(super) struct Simple {
    spec: llm::Tool,
    alias: Option<&'static str>,
    is_repeatable: bool,
    ends_turn: bool,
    run: Run,
}

impl Simple {
    /// A tool of this name, told to models in these words, with arguments of this JSON schema.
    pub(super) fn new(name: &'static str, about: &'static str, schema: Value, run: Run) -> Self {
        Simple {
            spec: llm::Tool::new(name, about, schema),
            alias: None,
            is_repeatable: false,
            ends_turn: false,
            run,
        }
    }

    /// Running it twice does no harm.
    pub(super) fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// After its success it is the user's turn.
    pub(super) fn ending_turn(mut self) -> Self {
        self.ends_turn = true;
        self
    }

    /// Its name in earlier releases, which stands in histories.
    pub(super) fn formerly(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }
}

impl Tool for Simple {
    fn spec(&self) -> llm::Tool {
        self.spec.clone()
    }

    fn alias(&self) -> Option<&'static str> {
        self.alias
    }

    fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    fn ends_turn(&self) -> bool {
        self.ends_turn
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            match (self.run)(context, Args(args)).await {
                Ok(value) => ToolAnswer::ok(value),
                Err(Failed(words)) => ToolAnswer::error(words),
            }
        })
    }
}
