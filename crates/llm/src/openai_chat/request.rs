//! A request of Chat Completions from ours.

use serde_json::{Map, Value, json};

use super::{FAMILY, options};
use crate::conversation::{Turn, base64, data_url, media_as_text, turns};
use crate::openai_responses::reasons;
use crate::openai_responses::request::effort_word;
use crate::{
    MediaPart, Part, ReasoningEffort, Request, Role, ToolCall, ToolChoice, ToolOutput, ToolResult,
};

/// The body for `provider`; `own` says that the server is OpenAI's.
pub(crate) fn body(request: &Request, stream: bool, provider: &str, own: bool) -> Value {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    set("model", json!(request.model));
    set("messages", Value::Array(messages(request, own)));
    if stream {
        set("stream", json!(true));
        set("stream_options", json!({"include_usage": true}));
    }
    let thinks = own && reasons(request);
    if let Some(max) = request.max_output_tokens {
        let name = if own {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        set(name, json!(max));
    }
    if !thinks {
        for (name, value) in [
            ("temperature", request.temperature),
            ("top_p", request.top_p),
            ("presence_penalty", request.presence_penalty),
            ("frequency_penalty", request.frequency_penalty),
        ] {
            if let Some(value) = value {
                set(name, json!(value));
            }
        }
        if let (false, Some(k)) = (own, request.top_k) {
            set("top_k", json!(k));
        }
    }
    if let Some(effort) = effort(request, provider) {
        match provider {
            "openrouter" | "vercel" => {
                set("reasoning", router_effort(effort));
            }
            _ if own && !thinks => {}
            _ => {
                let word = if own {
                    effort_word(effort, &request.model)
                } else {
                    Some(effort.as_str())
                };
                if let Some(word) = word {
                    set("reasoning_effort", json!(word));
                }
            }
        }
    }
    if let Some(schema) = &request.output_schema {
        set(
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": schema.name, "schema": schema.schema, "strict": true}}),
        );
    }
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| json!({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema}}))
        .collect();
    if !tools.is_empty() {
        set("tools", Value::Array(tools));
        match &request.tool_choice {
            ToolChoice::Auto => {}
            ToolChoice::None => set("tool_choice", json!("none")),
            ToolChoice::Tool(name) if own => set(
                "tool_choice",
                json!({"type": "function", "function": {"name": name}}),
            ),
            // Many compatible servers refuse the name; with one tool it says the same.
            ToolChoice::Required | ToolChoice::Tool(_) => set("tool_choice", json!("required")),
        }
    }
    options::put(request, provider, own, &mut body);
    Value::Object(body)
}

fn effort(request: &Request, provider: &str) -> Option<ReasoningEffort> {
    let family = match provider {
        "openai" | "azure" => "openai",
        "openrouter" => "openrouter",
        "vercel" => "vercel",
        _ => "openaicompat",
    };
    request.reasoning_effort.or_else(|| {
        let options = request.provider_options.get(family)?;
        ReasoningEffort::parse(options.get("reasoning_effort")?.as_str()?)
    })
}

fn router_effort(effort: ReasoningEffort) -> Value {
    match effort {
        ReasoningEffort::None => json!({"enabled": false}),
        ReasoningEffort::Max => json!({"effort": "xhigh"}),
        other => json!({"effort": other.as_str()}),
    }
}

fn messages(request: &Request, own: bool) -> Vec<Value> {
    let system = if own && reasons(request) {
        "developer"
    } else {
        "system"
    };
    let mut messages = Vec::new();
    for turn in &turns(&request.messages) {
        match turn.role {
            Role::System => {
                let text = texts(turn);
                if !text.is_empty() {
                    messages.push(json!({"role": system, "content": text}));
                }
            }
            Role::User => messages.extend(user(turn)),
            Role::Assistant => messages.extend(assistant(turn)),
            Role::Tool => answers(turn, &mut messages),
        }
    }
    messages
}

fn texts(turn: &Turn<'_>) -> String {
    let mut whole = String::new();
    for part in &turn.parts {
        if let Part::Text { text, .. } = part.as_ref() {
            if !whole.is_empty() {
                whole.push_str("\n\n");
            }
            whole.push_str(text);
        }
    }
    whole
}

fn user(turn: &Turn<'_>) -> Option<Value> {
    let mut parts = Vec::new();
    let mut only_text = true;
    for part in &turn.parts {
        match part.as_ref() {
            Part::Text { text, .. } => parts.push(json!({"type": "text", "text": text})),
            Part::Media(file) => {
                only_text = false;
                parts.push(media(file));
            }
            _ => {}
        }
    }
    // One text goes as plain text: the oldest of servers understand it.
    match (parts.len(), only_text) {
        (0, _) => None,
        (1, true) => Some(json!({"role": "user", "content": parts[0]["text"]})),
        _ => Some(json!({"role": "user", "content": parts})),
    }
}

fn media(file: &MediaPart) -> Value {
    match file.media_type.as_str() {
        kind if kind.starts_with("image/") => {
            json!({"type": "image_url", "image_url": {"url": data_url(file)}})
        }
        "application/pdf" => json!({"type": "file", "file": {
            "filename": file.name.as_deref().unwrap_or("document.pdf"),
            "file_data": data_url(file),
        }}),
        "audio/wav" | "audio/x-wav" => audio(file, "wav"),
        "audio/mpeg" | "audio/mp3" => audio(file, "mp3"),
        _ => json!({"type": "text", "text": media_as_text(file)}),
    }
}

fn audio(file: &MediaPart, format: &str) -> Value {
    json!({"type": "input_audio", "input_audio": {"data": base64(file), "format": format}})
}

fn assistant(turn: &Turn<'_>) -> Option<Value> {
    let mut text = String::new();
    let mut calls = Vec::new();
    let mut reasoning = String::new();
    let mut field = None;
    let mut details: Vec<Value> = Vec::new();
    for part in &turn.parts {
        match part.as_ref() {
            Part::Text { text: more, .. } => text.push_str(more),
            Part::Reasoning {
                text: more,
                metadata,
            } => {
                if let Some(own) = metadata.get(FAMILY) {
                    reasoning.push_str(more);
                    field = own.get("field").and_then(Value::as_str).or(field);
                    details.extend(
                        own.get("details")
                            .and_then(Value::as_array)
                            .cloned()
                            .unwrap_or_default(),
                    );
                }
            }
            Part::ToolCall(call) if !call.provider_executed => calls.push(tool_call(call)),
            _ => {}
        }
    }
    if text.is_empty() && calls.is_empty() {
        return None;
    }
    let mut message = json!({"role": "assistant"});
    message["content"] = if text.is_empty() {
        Value::Null
    } else {
        json!(text)
    };
    if !details.is_empty() {
        message["reasoning_details"] = Value::Array(details);
    } else if let (Some(field), false) = (field, calls.is_empty()) {
        // Between calls, models that think in plain text must see their thoughts again; some refuse
        // them elsewhere.
        message[field] = json!(reasoning);
    }
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    Some(message)
}

fn tool_call(call: &ToolCall) -> Value {
    // Servers that parse the arguments refuse the whole conversation for one that is not JSON.
    let args = match call.parsed() {
        Ok(_) if !call.args.trim().is_empty() => call.args.clone(),
        _ => call.args_object().to_string(),
    };
    let mut out = json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": args}});
    // Gemini behind a compatible server signs its calls.
    if let Some(extra) = call
        .metadata
        .get(FAMILY)
        .and_then(|m| m.get("extra_content"))
    {
        out["extra_content"] = extra.clone();
    }
    out
}

/// Answers are text only; files that tools gave follow as a message of the user.
fn answers(turn: &Turn<'_>, messages: &mut Vec<Value>) {
    let mut files = Vec::new();
    for part in &turn.parts {
        if let Part::ToolResult(result) = part.as_ref() {
            messages.push(answer(result, &mut files));
        }
    }
    if !files.is_empty() {
        messages.push(json!({"role": "user", "content": files}));
    }
}

fn answer(result: &ToolResult, files: &mut Vec<Value>) -> Value {
    let text = match &result.output {
        ToolOutput::Text(text) => text.clone(),
        ToolOutput::Provider(value) => value.to_string(),
        ToolOutput::Media { text, media: file } => {
            files.push(
                json!({"type": "text", "text": format!("File given by the tool {}:", result.name)}),
            );
            files.push(media(file));
            if text.is_empty() {
                "The file follows in the next message.".to_owned()
            } else {
                text.clone()
            }
        }
    };
    json!({"role": "tool", "tool_call_id": result.call_id, "content": text})
}
