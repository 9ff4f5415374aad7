//! Messages of the Model Context Protocol, as far as tools need them.

use api_types::{CallMcpToolResponse, McpToolContent};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ToolError;

/// The version that we speak; servers answer with theirs.
const VERSION: &str = "2025-06-18";
/// Tools of one server that are told of.
const MAX_TOOLS: usize = 256;

/// A tool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Tool {
    /// Its name at its server.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// JSON schema of its arguments.
    #[serde(default, rename = "inputSchema")]
    pub schema: serde_json::Map<String, Value>,
}

/// The parameters of the first request.
pub fn initialize() -> Value {
    json!({
        "protocolVersion": VERSION,
        "capabilities": {},
        "clientInfo": { "name": "coder-agent", "version": api_types::VERSION },
    })
}

/// A request.
pub fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A message that wants no answer.
pub fn notification(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": method })
}

/// What a message is to whoever waits for the answer to `id`; `None` if it is
/// something else.
pub fn answer(mut message: Value, id: u64) -> Option<Result<Value, ToolError>> {
    // A request of the server's may have the same number.
    if message.get("method").is_some() || message.get("id").and_then(Value::as_u64) != Some(id) {
        return None;
    }
    if let Some(error) = message.get("error") {
        let text = error.get("message").and_then(Value::as_str);
        let text = text.map_or_else(|| error.to_string(), str::to_owned);
        return Some(Err(ToolError::Refused(text)));
    }
    Some(match message.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(ToolError::Protocol("an answer without a result".into())),
    })
}

/// The tools that a server lists.
pub fn tools(result: Value) -> Result<Vec<Tool>, ToolError> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        tools: Vec<Tool>,
    }
    let listed: Listed =
        serde_json::from_value(result).map_err(|error| ToolError::Protocol(error.to_string()))?;
    let mut tools = listed.tools;
    tools.truncate(MAX_TOOLS);
    Ok(tools)
}

/// What a tool has answered.
pub fn called(result: Value) -> Result<CallMcpToolResponse, ToolError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Called {
        #[serde(default)]
        content: Vec<Value>,
        #[serde(default)]
        is_error: bool,
    }
    let called: Called =
        serde_json::from_value(result).map_err(|error| ToolError::Protocol(error.to_string()))?;
    Ok(CallMcpToolResponse {
        content: called.content.iter().map(content).collect(),
        is_error: called.is_error,
    })
}

fn content(block: &Value) -> McpToolContent {
    let kind = block
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    // An embedded resource has its text or data one level deeper.
    let inner = block.get("resource").unwrap_or(block);
    let field = |name: &str| {
        let text = inner.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let data = match field("data") {
        data if data.is_empty() => field("blob"),
        data => data,
    };
    let text = match (kind, field("text")) {
        // Of a link, the address is all there is.
        ("resource" | "resource_link", text) if text.is_empty() && data.is_empty() => field("uri"),
        (_, text) => text,
    };
    McpToolContent {
        r#type: if kind == "resource_link" {
            "resource"
        } else {
            kind
        }
        .to_owned(),
        text,
        data,
        media_type: field("mimeType"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_every_kind_are_read() {
        let called = called(json!({ "isError": true, "content": [
            {"type": "text", "text": "t"},
            {"type": "image", "data": "AA==", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "u", "text": "inner", "mimeType": "text/plain"}},
            {"type": "resource_link", "uri": "file:///x"},
            7,
        ]}))
        .unwrap();
        assert!(called.is_error);
        let texts: Vec<_> = called.content.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["t", "", "inner", "file:///x", ""]);
        assert_eq!(called.content[1].media_type, "image/png");
    }

    #[test]
    fn only_the_right_answer_counts() {
        assert!(answer(json!({"id": 2, "result": 1}), 1).is_none());
        assert!(answer(json!({"id": 1, "method": "ping"}), 1).is_none());
        assert!(answer(json!([]), 1).is_none());
        assert!(answer(json!({"id": 1, "result": 5}), 1).unwrap().is_ok());
        let refused = answer(json!({"id": 1, "error": {"message": "no"}}), 1).unwrap();
        assert!(refused.unwrap_err().to_string().contains("no"));
    }
}
