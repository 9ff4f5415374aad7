//! The server's half of the conversation: what is answered to each message, and two ways to hear them.

mod lines;
mod prompts;
pub mod web;

use api_types::McpToolContent;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::protocol::VERSION;
use crate::{Called, Tool};

pub use lines::serve;
pub use prompts::{Argument, Prompt};

/// Bytes of a message.
pub const MAX_MESSAGE: usize = 16 << 20;
/// Revisions in which what we offer is the same; clients of older ones are taken at their word.
const REVISIONS: [&str; 3] = ["2024-11-05", "2025-03-26", VERSION];

/// Codes of JSON-RPC.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const NO_METHOD: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// Offers tools, and ways to use them.
pub trait Service: Sync {
    /// What its user should know beforehand; may be empty.
    fn instructions(&self) -> String;

    /// The tools.
    fn tools(&self) -> Vec<Tool>;

    /// Calls one; none if there is no such tool.
    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
    ) -> Option<BoxFuture<'a, Called>>;

    /// What people may have the model told.
    fn prompts(&self) -> Vec<Prompt> {
        Vec::new()
    }

    /// The text of one; none if there is no such prompt.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    fn prompt(&self, name: &str, arguments: &Map<String, Value>) -> Option<Result<String, String>> {
        let _ = (name, arguments);
        None
    }
}

/// An answer of one text.
pub fn text(text: impl Into<String>, is_error: bool) -> Called {
    Called {
        content: vec![McpToolContent {
            r#type: "text".into(),
            text: text.into(),
            ..McpToolContent::default()
        }],
        is_error,
    }
}

/// The answer to a message; none if it wants none.
pub async fn answer(service: &dyn Service, message: Value) -> Option<Value> {
    let Some(id) = message.get("id").filter(|id| !id.is_null()).cloned() else {
        return (!message.is_object()).then(|| failed(&Value::Null, INVALID_REQUEST, "no request"));
    };
    // An answer to a question that we never asked.
    let method = message.get("method").and_then(Value::as_str)?;
    let params = message.get("params").cloned().unwrap_or_default();
    let result = match method {
        "initialize" => greeting(service, &params),
        "ping" => json!({}),
        "tools/list" => {
            let tools: Vec<Value> = service.tools().iter().map(listed).collect();
            json!({ "tools": tools })
        }
        "prompts/list" => prompts::listed(service),
        "prompts/get" => match prompts::read(service, &params) {
            Ok(prompt) => prompt,
            Err(reason) => return Some(failed(&id, INVALID_PARAMS, &reason)),
        },
        "tools/call" => {
            let name = params["name"].as_str().unwrap_or_default();
            let arguments = params["arguments"].as_object().cloned().unwrap_or_default();
            match service.call(name, arguments) {
                Some(call) => shown(&call.await),
                None => {
                    let text = format!("there is no tool {name:?}");
                    return Some(failed(&id, INVALID_PARAMS, &text));
                }
            }
        }
        _ => return Some(failed(&id, NO_METHOD, "this server has no such method")),
    };
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn failed(id: &Value, code: i32, text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } })
}

fn greeting(service: &dyn Service, params: &Value) -> Value {
    let asked = params["protocolVersion"].as_str().unwrap_or_default();
    let known = REVISIONS.contains(&asked);
    let mut greeting = json!({
        "protocolVersion": if known { asked } else { VERSION },
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "coder", "title": "Coder", "version": api_types::VERSION },
    });
    if !service.prompts().is_empty() {
        greeting["capabilities"]["prompts"] = json!({});
    }
    let instructions = service.instructions();
    if !instructions.is_empty() {
        greeting["instructions"] = instructions.into();
    }
    greeting
}

fn listed(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.schema,
        "annotations": {
            "readOnlyHint": tool.read_only,
            "destructiveHint": tool.destructive,
            "idempotentHint": tool.read_only,
            "openWorldHint": false,
        },
    })
}

fn shown(called: &Called) -> Value {
    let blocks = called
        .content
        .iter()
        .map(|block| match block.data.as_str() {
            "" => json!({ "type": "text", "text": block.text }),
            data => json!({ "type": block.r#type, "data": data, "mimeType": block.media_type }),
        });
    json!({ "content": blocks.collect::<Vec<_>>(), "isError": called.is_error })
}
