//! A tool of a server that the workspace configures: the agent runs the server and passes calls on.

use api_types::CallMcpToolRequest;
use client::Error;
use futures::future::BoxFuture;
use mcp::{Tool as Described, names, protocol};
use serde_json::{Map, Value, json};
use store::chats::ChatContextRows;

use super::super::{Tool, ToolAnswer, ToolContext};
use super::answer;

/// A tool.
pub(super) struct WorkspaceTool {
    /// As the agent knows it: `server__tool`.
    route: String,
    described: Described,
    name: String,
}

impl WorkspaceTool {
    /// All tools of what the workspace told.
    pub(super) fn all(told: &ChatContextRows) -> Vec<Self> {
        let servers = told.resources.iter();
        let servers = servers.filter(|r| r.kind == "mcp_server" && r.status == "ok");
        let mut all: Vec<Self> = servers
            .flat_map(|server| {
                let tools = server.tools.as_array().cloned().unwrap_or_default();
                let tools = tools.into_iter().map(|tool| {
                    json!({
                        "name": tool["name"], "description": tool["description"],
                        "inputSchema": tool["input_schema"],
                    })
                });
                let listed = json!({ "tools": tools.collect::<Vec<_>>() });
                let read = protocol::tools(&listed).map(|(tools, _)| tools);
                let named = |described: Described| WorkspaceTool {
                    route: format!("{}{}{}", server.name, names::SEPARATOR, described.name),
                    name: names::prefixed(&server.name, &described.name),
                    described,
                };
                read.unwrap_or_default().into_iter().map(named)
            })
            .collect();
        all.sort_by(|a, b| a.route.cmp(&b.route));
        all
    }

    pub(super) fn wanted_name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }
}

impl Tool for WorkspaceTool {
    fn spec(&self) -> llm::Tool {
        let schema = Value::Object(self.described.schema.clone());
        llm::Tool::new(&self.name, &self.described.description, schema)
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            let api = match context.workspace.connect().await {
                Ok(api) => api,
                Err(why) => return ToolAnswer::error(why),
            };
            let request = CallMcpToolRequest {
                tool_name: self.route.clone(),
                arguments: args,
            };
            match api.call_mcp_tool(&request).await {
                Ok(called) => answer::answer(called),
                Err(Error::Api(error)) => ToolAnswer::error(error.to_string()),
                Err(error) => ToolAnswer::error(format!(
                    "The workspace did not answer: {error}. The call may have run; find out before \
                     you repeat it."
                )),
            }
        })
    }
}
