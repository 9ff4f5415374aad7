//! A tool of a server that the organization offers.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use mcp::{Called, Tool as Described, names};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::{Tool, ToolAnswer, ToolContext};
use super::{answer, intent};

/// How long a call may take.
const CALL: Duration = Duration::from_mins(1);

/// Calls tools of one server, in the name of one user.
pub trait RemoteServer: Send + Sync {
    /// Calls a tool by its name there.
    ///
    /// # Errors
    /// In words for the model.
    fn call<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Called, String>>;
}

/// A tool.
pub struct RemoteTool {
    server: Option<Uuid>,
    slug: String,
    described: Described,
    name: String,
    tells_intent: bool,
    way: Arc<dyn RemoteServer>,
}

impl RemoteTool {
    /// A tool of the server `id`, if it is one of the organization's, called `slug`; with
    /// `tells_intent` models say why they call it.
    pub fn new(
        id: Option<Uuid>,
        slug: &str,
        described: Described,
        tells_intent: bool,
        way: Arc<dyn RemoteServer>,
    ) -> Self {
        RemoteTool {
            server: id,
            slug: slug.to_owned(),
            name: names::prefixed(slug, &described.name),
            described,
            tells_intent,
            way,
        }
    }

    pub(super) fn wanted_name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    pub(super) fn order(&self) -> (&str, &str, Option<Uuid>) {
        (&self.slug, &self.described.name, self.server)
    }
}

impl Tool for RemoteTool {
    fn spec(&self) -> llm::Tool {
        let schema = if self.tells_intent {
            intent::wrapped(&self.described.schema)
        } else {
            Value::Object(self.described.schema.clone())
        };
        llm::Tool::new(&self.name, &self.described.description, schema)
    }

    fn mcp_server(&self) -> Option<Uuid> {
        self.server
    }

    fn is_repeatable(&self) -> bool {
        // Should it say so of itself without cause, it harms its own users.
        self.described.read_only
    }

    fn call<'a>(
        &'a self,
        _: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        let args = if self.tells_intent {
            intent::unwrapped(args)
        } else {
            args
        };
        Box::pin(async move {
            let called = self.way.call(&self.described.name, &args);
            match tokio::time::timeout(CALL, called).await {
                Ok(Ok(called)) => answer::answer(called),
                Ok(Err(why)) => ToolAnswer::error(why),
                Err(_) => ToolAnswer::error(format!(
                    "The MCP server did not answer within {} seconds. The call may have run; find \
                     out before you repeat it.",
                    CALL.as_secs()
                )),
            }
        })
    }
}
