//! A request of the Responses API from ours.
//!
//! The whole conversation is sent each time and nothing is kept at the provider unless the model's
//! configuration says so; reasoning therefore travels encrypted, in metadata.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{FAMILY, options, reasons};
use crate::conversation::{Turn, data_url, media_as_text, turns};
use crate::{
    MediaPart, Metadata, Part, ReasoningEffort, Request, Role, Tool, ToolChoice, ToolOutput,
    ToolResult,
};

/// Calls have at most this many characters in their ids.
const MAX_CALL_ID: usize = 64;
/// A PNG of one black pixel, for a screen that could not be photographed.
const NO_PICTURE: &str = "data:image/png;base64,\
iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";

/// The body.
pub(crate) fn body(request: &Request, stream: bool) -> Value {
    let own = options::of(request);
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    set("model", json!(request.model));
    set("input", Value::Array(input(request)));
    if stream {
        set("stream", json!(true));
    }
    set(
        "store",
        own.get("store").cloned().unwrap_or(Value::Bool(false)),
    );
    let mut include: Vec<Value> = own
        .get("include")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut add = |name: &str| {
        if !include.iter().any(|have| have == name) {
            include.push(json!(name));
        }
    };
    if reasons(request) {
        add("reasoning.encrypted_content");
        if let Some(reasoning) = reasoning(request) {
            set("reasoning", reasoning);
        }
    } else {
        if let Some(t) = request.temperature {
            set("temperature", json!(t));
        }
        if let Some(p) = request.top_p {
            set("top_p", json!(p));
        }
    }
    if request.web_search.is_some() {
        add("web_search_call.action.sources");
    }
    if !include.is_empty() {
        set("include", Value::Array(include));
    }
    if let Some(max) = request.max_output_tokens {
        set("max_output_tokens", json!(max));
    }
    let mut text = Map::new();
    if let Some(schema) = &request.output_schema {
        text.insert(
            "format".to_owned(),
            json!({"type": "json_schema", "name": schema.name, "schema": schema.schema, "strict": true}),
        );
    }
    if let Some(verbosity) = own.get("text_verbosity").filter(|v| !v.is_null()) {
        text.insert("verbosity".to_owned(), verbosity.clone());
    }
    if !text.is_empty() {
        set("text", Value::Object(text));
    }
    let tools = tools(request);
    if !tools.is_empty() {
        set("tools", Value::Array(tools));
        if let Some(choice) = choice(&request.tool_choice) {
            set("tool_choice", choice);
        }
    }
    options::responses(request, &mut body);
    Value::Object(body)
}

fn reasoning(request: &Request) -> Option<Value> {
    let own = options::of(request);
    let effort = request
        .reasoning_effort
        .or_else(|| ReasoningEffort::parse(own.get("reasoning_effort")?.as_str()?));
    let mut reasoning = Map::new();
    if let Some(word) = effort.and_then(|effort| effort_word(effort, &request.model)) {
        reasoning.insert("effort".to_owned(), json!(word));
    }
    if effort != Some(ReasoningEffort::None) {
        let summary = own.get("reasoning_summary").filter(|v| !v.is_null());
        reasoning.insert(
            "summary".to_owned(),
            summary.cloned().unwrap_or_else(|| json!("auto")),
        );
    }
    (!reasoning.is_empty()).then_some(Value::Object(reasoning))
}

/// The word that the model knows for `effort`; `None` where it has none.
pub(crate) fn effort_word(effort: ReasoningEffort, model: &str) -> Option<&'static str> {
    let model = model.rsplit('/').next().unwrap_or_default();
    match effort {
        // Not reasoning at all exists since GPT-5.1.
        ReasoningEffort::None if model.starts_with("gpt-5.") || model.starts_with("gpt-6") => {
            Some("none")
        }
        ReasoningEffort::None => None,
        ReasoningEffort::Max => Some("xhigh"),
        other => Some(other.as_str()),
    }
}

fn tools(request: &Request) -> Vec<Value> {
    let mut tools: Vec<Value> = request.tools.iter().map(tool).collect();
    if let Some(search) = &request.web_search {
        let mut tool = json!({"type": "web_search"});
        if let Some(size) = search.context_size {
            tool["search_context_size"] = json!(size);
        }
        if !search.allowed_domains.is_empty() {
            tool["filters"] = json!({"allowed_domains": search.allowed_domains});
        }
        tools.push(tool);
    }
    tools
}

fn tool(tool: &Tool) -> Value {
    match &tool.native {
        Some(native) => native.clone(),
        None => json!({
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.schema,
            "strict": false,
        }),
    }
}

fn choice(choice: &ToolChoice) -> Option<Value> {
    Some(match choice {
        ToolChoice::Auto => return None,
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "name": name}),
    })
}

fn input(request: &Request) -> Vec<Value> {
    let system = if reasons(request) {
        "developer"
    } else {
        "system"
    };
    let mut items = Vec::new();
    let turns = turns(&request.messages);
    let screens = computer_calls(&turns);
    for turn in &turns {
        match turn.role {
            Role::System => {
                for part in &turn.parts {
                    if let Part::Text { text, .. } = part.as_ref() {
                        items.push(json!({"role": system, "content": text}));
                    }
                }
            }
            Role::User => {
                let content: Vec<Value> = turn
                    .parts
                    .iter()
                    .filter_map(|p| content(p.as_ref()))
                    .collect();
                if !content.is_empty() {
                    items.push(json!({"role": "user", "content": content}));
                }
            }
            Role::Assistant => assistant(turn, &mut items),
            Role::Tool => {
                for part in &turn.parts {
                    if let Part::ToolResult(result) = part.as_ref() {
                        match screens.get(result.call_id.as_str()) {
                            Some(call) => screenshot(result, call, &mut items),
                            None => items.push(output(result)),
                        }
                    }
                }
            }
        }
    }
    items
}

fn content(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } => Some(json!({"type": "input_text", "text": text})),
        Part::Media(file) => Some(media(file)),
        _ => None,
    }
}

fn media(file: &MediaPart) -> Value {
    match file.media_type.as_str() {
        kind if kind.starts_with("image/") => {
            json!({"type": "input_image", "image_url": data_url(file)})
        }
        "application/pdf" => json!({
            "type": "input_file",
            "filename": file.name.as_deref().unwrap_or("document.pdf"),
            "file_data": data_url(file),
        }),
        _ => json!({"type": "input_text", "text": media_as_text(file)}),
    }
}

fn output(result: &ToolResult) -> Value {
    let output = match &result.output {
        ToolOutput::Text(text) => json!(text),
        ToolOutput::Provider(value) => json!(value.to_string()),
        ToolOutput::Media { text, media: file } => {
            let mut parts = Vec::new();
            if !text.is_empty() {
                parts.push(json!({"type": "input_text", "text": text}));
            }
            parts.push(media(file));
            Value::Array(parts)
        }
    };
    json!({"type": "function_call_output", "call_id": call_id(&result.call_id), "output": output})
}

/// Calls of the computer tool by their ids, as the provider made them.
fn computer_calls<'a>(turns: &'a [Turn<'_>]) -> HashMap<&'a str, &'a Value> {
    let parts = turns.iter().flat_map(|turn| &turn.parts);
    parts
        .filter_map(|part| match part.as_ref() {
            Part::ToolCall(call) => {
                let item = call.metadata.get(FAMILY)?.get("item")?;
                (item["type"] == "computer_call").then_some((call.id.as_str(), item))
            }
            _ => None,
        })
        .collect()
}

/// The answer to a call of the computer tool. It must be a picture: where there is none, because the
/// call failed, an empty one stands for it and the reason is told behind it.
fn screenshot(result: &ToolResult, call: &Value, items: &mut Vec<Value>) {
    let (url, why) = match &result.output {
        ToolOutput::Media { text, media } => (data_url(media), text.clone()),
        ToolOutput::Text(text) => (NO_PICTURE.to_owned(), text.clone()),
        ToolOutput::Provider(value) => (NO_PICTURE.to_owned(), value.to_string()),
    };
    let mut item = json!({
        "type": "computer_call_output",
        "call_id": call["call_id"],
        "output": {"type": "computer_screenshot", "image_url": url, "detail": "original"},
    });
    // Without this the provider refuses the conversation. Such a call is not run, but answered with
    // the question of the provider, which is the user's to decide.
    if let Some(checks) = call["pending_safety_checks"].as_array()
        && !checks.is_empty()
    {
        item["acknowledged_safety_checks"] = Value::from(checks.clone());
    }
    items.push(item);
    if !why.is_empty() {
        let text = format!("[computer: {why}]");
        items.push(json!({"role": "user", "content": [{"type": "input_text", "text": text}]}));
    }
}

fn call_id(id: &str) -> String {
    if id.len() <= MAX_CALL_ID {
        return id.to_owned();
    }
    let sum = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let head: String = id.chars().take(MAX_CALL_ID / 4).collect();
    format!("{head}_{sum:x}")
}

fn assistant(turn: &Turn<'_>, items: &mut Vec<Value>) {
    let start = items.len();
    for part in &turn.parts {
        match part.as_ref() {
            Part::Text { text, metadata } if !text.is_empty() => {
                let mut item = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": []}]});
                copy(metadata, &["id", "phase"], &mut item);
                items.push(item);
            }
            Part::Reasoning { text, metadata } => items.extend(reasoning_item(text, metadata)),
            // What the provider ran itself goes back as it came.
            Part::ToolCall(call) if call.provider_executed => {
                items.extend(
                    call.metadata
                        .get(FAMILY)
                        .and_then(|m| m.get("item"))
                        .cloned(),
                );
            }
            Part::ToolCall(call) => {
                let args = if call.args.trim().is_empty() {
                    "{}"
                } else {
                    &call.args
                };
                let mut item = json!({"type": "function_call", "call_id": call_id(&call.id), "name": call.name, "arguments": args});
                if let Some(native) = call.metadata.get(FAMILY).and_then(|m| m.get("item")) {
                    item = native.clone();
                } else {
                    copy(&call.metadata, &["id"], &mut item);
                }
                items.push(item);
            }
            _ => {}
        }
    }
    // Reasoning that nothing follows (a cut answer) is refused.
    while items.len() > start && items.last().is_some_and(|item| item["type"] == "reasoning") {
        items.pop();
    }
}

fn copy(metadata: &Metadata, keys: &[&str], item: &mut Value) {
    for key in keys {
        if let Some(value) = metadata.text(FAMILY, key) {
            item[*key] = json!(value);
        }
    }
}

/// Reasoning goes back only with its encrypted content: without, the provider looks for it in a store
/// where it is not.
fn reasoning_item(text: &str, metadata: &Metadata) -> Option<Value> {
    let encrypted = metadata.text(FAMILY, "encrypted_content")?;
    let summary = metadata
        .get(FAMILY)
        .and_then(|m| m.get("summary"))
        .cloned()
        .unwrap_or_else(|| {
            if text.is_empty() {
                json!([])
            } else {
                json!([{"type": "summary_text", "text": text}])
            }
        });
    let mut item = json!({"type": "reasoning", "summary": summary, "encrypted_content": encrypted});
    copy(metadata, &["id"], &mut item);
    Some(item)
}
