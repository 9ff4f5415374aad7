//! Messages of the protocol.

use api_types::{CallMcpToolResponse, McpToolContent};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Error;

/// The revision that we speak; servers answer with theirs.
pub const VERSION: &str = "2025-06-18";
/// Tools of one server that are told of: more than models can choose from.
pub const MAX_TOOLS: usize = 256;
/// Bytes of a tool's description and schema; what is longer is no description of a tool.
const MAX_TOOL: usize = 64 << 10;
/// Bytes of an error's text that are shown.
const MAX_ERROR: usize = 2 << 10;

/// What a tool has answered.
pub type Called = CallMcpToolResponse;

/// A tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name at its server.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON schema of its arguments, always of an object.
    pub schema: Map<String, Value>,
    /// The server says that calling it changes nothing.
    pub read_only: bool,
    /// The server says that calling it may destroy something.
    pub destructive: bool,
}

/// The parameters of the first request.
pub fn initialize(client: &str) -> Value {
    json!({
        "protocolVersion": VERSION,
        "capabilities": {},
        "clientInfo": { "name": client, "version": api_types::VERSION },
    })
}

/// A request.
pub fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A message that wants no answer.
pub fn notification(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// What a message is to whoever waits for the answer to `id`; `None` if it is something else.
pub fn answer(mut message: Value, id: u64) -> Option<Result<Value, Error>> {
    // A request of the server's may have the same number.
    if message.get("method").is_some() || message.get("id").and_then(Value::as_u64) != Some(id) {
        return None;
    }
    if let Some(error) = message.get("error") {
        let text = error.get("message").and_then(Value::as_str);
        let text = text.map_or_else(|| error.to_string(), str::to_owned);
        return Some(Err(Error::Refused(shortened(&text).to_owned())));
    }
    Some(match message.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(Error::Protocol("an answer without a result".into())),
    })
}

/// The answer to a request of the server's: it may ask whether we live, and nothing else. `None` if
/// the message is no request.
pub fn reply(message: &Value) -> Option<Value> {
    let method = message.get("method")?.as_str()?;
    let id = message.get("id").filter(|id| !id.is_null())?;
    Some(if method == "ping" {
        json!({ "jsonrpc": "2.0", "id": id, "result": {} })
    } else {
        let error = json!({ "code": -32601, "message": "this client offers nothing of the kind" });
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    })
}

/// The tools of one page, and where the next begins. What is no description of a tool is left out.
pub fn tools(result: &Value) -> Result<(Vec<Tool>, Option<String>), Error> {
    let listed = result
        .get("tools")
        .and_then(Value::as_array)
        .ok_or_else(|| Error::Protocol("a list of tools without tools".into()))?;
    let tools = listed.iter().filter_map(tool).collect();
    let next = result.get("nextCursor").and_then(Value::as_str);
    Ok((tools, next.filter(|c| !c.is_empty()).map(str::to_owned)))
}

fn tool(value: &Value) -> Option<Tool> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = text("name");
    if name.is_empty() || value.to_string().len() > MAX_TOOL {
        return None;
    }
    let mut schema = match value.get("inputSchema") {
        Some(Value::Object(schema)) => schema.clone(),
        _ => Map::new(),
    };
    // Arguments are an object, whatever the server says; and one wrong schema would make model
    // providers refuse the whole request.
    if schema.get("type").is_some_and(|kind| kind != "object") {
        schema = Map::new();
    }
    if schema.get("properties").is_some_and(|p| !p.is_object()) {
        schema.remove("properties");
    }
    let required = schema.get("required").and_then(Value::as_array);
    if schema.contains_key("required")
        && !required.is_some_and(|list| list.iter().all(Value::is_string))
    {
        schema.remove("required");
    }
    schema.insert("type".into(), "object".into());
    schema.entry("properties").or_insert_with(|| json!({}));
    let hint = |name: &str| {
        let hint = value.get("annotations").and_then(|all| all.get(name));
        hint.and_then(Value::as_bool).unwrap_or(false)
    };
    Some(Tool {
        name: name.to_owned(),
        description: text("description").to_owned(),
        schema,
        read_only: hint("readOnlyHint"),
        destructive: hint("destructiveHint"),
    })
}

/// What a tool has answered.
pub fn called(result: Value) -> Result<Called, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        #[serde(default)]
        content: Vec<Value>,
        #[serde(default)]
        structured_content: Option<Value>,
        #[serde(default)]
        is_error: bool,
    }
    let answer: Answer =
        serde_json::from_value(result).map_err(|error| Error::Protocol(error.to_string()))?;
    let mut content: Vec<_> = answer.content.iter().map(block).collect();
    // A server that answers in a structured way tells the same as text; not all do.
    if let Some(value) = answer.structured_content
        && content.iter().all(|block| block.text.is_empty())
    {
        content.push(McpToolContent {
            r#type: "text".into(),
            text: value.to_string(),
            ..McpToolContent::default()
        });
    }
    Ok(Called {
        content,
        is_error: answer.is_error,
    })
}

fn block(block: &Value) -> McpToolContent {
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

/// The beginning of a text that strangers wrote.
pub(crate) fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_ERROR);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim()
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
        assert!(super::called(json!({"content": 7})).is_err());
    }

    #[test]
    fn structured_answers_are_told_once() {
        let both = json!({"content": [{"type": "text", "text": "{}"}], "structuredContent": {}});
        assert_eq!(called(both).unwrap().content.len(), 1);
        let alone = called(json!({"structuredContent": {"a": 1}})).unwrap();
        assert_eq!(alone.content[0].text, "{\"a\":1}");
    }

    #[test]
    fn only_the_right_answer_counts() {
        assert!(answer(json!({"id": 2, "result": 1}), 1).is_none());
        assert!(answer(json!({"id": 1, "method": "ping"}), 1).is_none());
        assert!(answer(json!([]), 1).is_none());
        assert!(answer(json!({"id": 1, "result": 5}), 1).unwrap().is_ok());
        assert!(answer(json!({"id": 1}), 1).unwrap().is_err());
        let refused = answer(json!({"id": 1, "error": {"message": "no"}}), 1).unwrap();
        assert!(refused.unwrap_err().to_string().contains("no"));
    }

    #[test]
    fn servers_learn_that_we_live_and_no_more() {
        let pong = reply(&json!({"id": "x", "method": "ping"})).unwrap();
        assert_eq!(
            (pong["id"].as_str(), &pong["result"]),
            (Some("x"), &json!({}))
        );
        let refused = reply(&json!({"id": 1, "method": "sampling/createMessage"})).unwrap();
        assert_eq!(refused["error"]["code"], -32601);
        assert!(reply(&json!({"method": "notifications/progress"})).is_none());
        assert!(reply(&json!({"id": 1, "result": {}})).is_none());
    }

    #[test]
    fn lying_schemas_become_harmless() {
        let huge = "x".repeat(MAX_TOOL);
        let (tools, next) = tools(&json!({"nextCursor": "n", "tools": [
            {"name": "none"},
            {"name": "text", "inputSchema": "x"},
            {"name": "list", "inputSchema": {"type": "array"}},
            {"name": "odd", "inputSchema": {"properties": 1, "required": [1]}},
            {"name": "good", "inputSchema": {"properties": {"a": {}}, "required": ["a"]},
             "annotations": {"readOnlyHint": true}},
            {"name": ""}, {"name": 7}, 7,
            {"name": "huge", "description": huge},
        ]}))
        .unwrap();
        assert_eq!(next.as_deref(), Some("n"));
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["none", "text", "list", "odd", "good"]);
        for tool in &tools {
            assert_eq!(tool.schema["type"], "object", "{}", tool.name);
            assert!(tool.schema["properties"].is_object(), "{}", tool.name);
        }
        assert!(!tools[3].schema.contains_key("required"));
        assert!(tools[4].read_only && tools[4].schema["required"] == json!(["a"]));
        assert!(super::tools(&json!({})).is_err());
    }
}
