//! A request of the Gemini API from ours.

use serde_json::{Map, Value, json};

use super::FAMILY;
use crate::conversation::{Turn, base64, turns};
use crate::{
    MediaPart, Metadata, Part, ReasoningEffort, Request, Role, ToolChoice, ToolOutput, ToolResult,
};

/// Stands where a signature is demanded but another model wrote the call.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";
/// A budget of this many tokens lets the model decide.
const DYNAMIC_BUDGET: i64 = -1;

/// The body, the same for streams and whole answers.
pub(super) fn body(request: &Request) -> Value {
    let (system, contents) = contents(request);
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    set("contents", Value::Array(contents));
    if !system.is_empty() {
        set("systemInstruction", json!({"parts": system}));
    }
    let options = request.provider_options.get(FAMILY);
    let option = |key: &str| options.and_then(|o| o.get(key)).filter(|v| !v.is_null());
    set(
        "generationConfig",
        generation(request, option("thinking_config")),
    );
    if let Some(settings) = option("safety_settings") {
        set("safetySettings", settings.clone());
    }
    if let Some(cached) = option("cached_content") {
        set("cachedContent", cached.clone());
    }
    tools(request, &mut set);
    Value::Object(body)
}

fn generation(request: &Request, thinking: Option<&Value>) -> Value {
    let mut config = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(key.to_owned(), value);
        }
    };
    set(
        "maxOutputTokens",
        request.max_output_tokens.map(|v| json!(v)),
    );
    set("temperature", request.temperature.map(|v| json!(v)));
    set("topP", request.top_p.map(|v| json!(v)));
    set("topK", request.top_k.map(|v| json!(v)));
    set(
        "presencePenalty",
        request.presence_penalty.map(|v| json!(v)),
    );
    set(
        "frequencyPenalty",
        request.frequency_penalty.map(|v| json!(v)),
    );
    if let Some(schema) = &request.output_schema {
        set("responseMimeType", Some(json!("application/json")));
        set("responseJsonSchema", Some(schema.schema.clone()));
    }
    set("thinkingConfig", thinking_config(request, thinking));
    Value::Object(config)
}

fn thinking_config(request: &Request, options: Option<&Value>) -> Option<Value> {
    let mut config = Map::new();
    if let Some(options) = options {
        for (from, to) in [
            ("thinking_budget", "thinkingBudget"),
            ("include_thoughts", "includeThoughts"),
        ] {
            if let Some(value) = options.get(from).filter(|v| !v.is_null()) {
                config.insert(to.to_owned(), value.clone());
            }
        }
    }
    if let (Some(effort), false) = (
        request.reasoning_effort,
        config.contains_key("thinkingBudget"),
    ) {
        // Since its third generation a level, before it a budget.
        if request.model.contains("gemini-3") {
            let level = match effort {
                ReasoningEffort::None | ReasoningEffort::Minimal | ReasoningEffort::Low => "low",
                ReasoningEffort::Medium if request.model.contains("flash") => "medium",
                _ => "high",
            };
            config.insert("thinkingLevel".to_owned(), json!(level));
        } else {
            let budget = match effort {
                // The larger models cannot stop thinking.
                ReasoningEffort::None if request.model.contains("pro") => 128,
                ReasoningEffort::None => 0,
                ReasoningEffort::Minimal => 512,
                ReasoningEffort::Low => 2048,
                ReasoningEffort::Medium => 8192,
                ReasoningEffort::High => DYNAMIC_BUDGET,
                ReasoningEffort::XHigh | ReasoningEffort::Max => 24_576,
            };
            config.insert("thinkingBudget".to_owned(), json!(budget));
        }
        if effort != ReasoningEffort::None {
            config.entry("includeThoughts").or_insert(Value::Bool(true));
        }
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

fn tools(request: &Request, set: &mut impl FnMut(&str, Value)) {
    let functions: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.schema})
        })
        .collect();
    let mut tools = Vec::new();
    if !functions.is_empty() {
        tools.push(json!({"functionDeclarations": functions}));
        let mode = match &request.tool_choice {
            ToolChoice::Auto => None,
            ToolChoice::None => Some(json!({"mode": "NONE"})),
            ToolChoice::Required => Some(json!({"mode": "ANY"})),
            ToolChoice::Tool(name) => Some(json!({"mode": "ANY", "allowedFunctionNames": [name]})),
        };
        if let Some(mode) = mode {
            set("toolConfig", json!({"functionCallingConfig": mode}));
        }
    }
    if request.web_search.is_some() {
        tools.push(json!({"googleSearch": {}}));
    }
    if !tools.is_empty() {
        set("tools", Value::Array(tools));
    }
}

fn contents(request: &Request) -> (Vec<Value>, Vec<Value>) {
    let mut system = Vec::new();
    let mut contents: Vec<Value> = Vec::new();
    for turn in &turns(&request.messages) {
        let (role, parts) = match turn.role {
            Role::System if contents.is_empty() => {
                system.extend(user(turn));
                continue;
            }
            Role::System | Role::User | Role::Tool => ("user", user(turn)),
            Role::Assistant => ("model", model(turn)),
        };
        if parts.is_empty() {
            continue;
        }
        match contents.last_mut() {
            Some(last) if last["role"] == role => {
                if let Some(have) = last["parts"].as_array_mut() {
                    have.extend(parts);
                }
            }
            _ => contents.push(json!({"role": role, "parts": parts})),
        }
    }
    (system, contents)
}

fn user(turn: &Turn<'_>) -> Vec<Value> {
    let mut parts = Vec::new();
    for part in &turn.parts {
        match part.as_ref() {
            Part::Text { text, .. } => parts.push(json!({"text": text})),
            Part::Media(file) => parts.push(media(file)),
            Part::ToolResult(result) => response(result, &mut parts),
            _ => {}
        }
    }
    parts
}

fn media(file: &MediaPart) -> Value {
    json!({"inlineData": {"mimeType": file.media_type, "data": base64(file)}})
}

fn response(result: &ToolResult, parts: &mut Vec<Value>) {
    let text = match &result.output {
        ToolOutput::Text(text) | ToolOutput::Media { text, .. } => text.clone(),
        ToolOutput::Provider(value) => value.to_string(),
    };
    // The answer must be an object.
    let answer = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(map)) if !result.is_error => Value::Object(map),
        _ if result.is_error => json!({"error": text}),
        _ => json!({"output": text}),
    };
    let mut function = json!({"name": result.name, "response": answer});
    if let Some(id) = result.call_id.strip_prefix(super::decode::WIRE_ID) {
        function["id"] = json!(id);
    }
    parts.push(json!({"functionResponse": function}));
    if let ToolOutput::Media { media: file, .. } = &result.output {
        parts.push(media(file));
    }
}

fn model(turn: &Turn<'_>) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    let mut calls = 0;
    for part in &turn.parts {
        match part.as_ref() {
            Part::Text { text, metadata } => {
                parts.push(signed(json!({"text": text}), metadata));
            }
            // Thoughts are not sent back; their signature, if it came with them, is.
            Part::Reasoning { metadata, .. } if metadata.text(FAMILY, "signature").is_some() => {
                parts.push(signed(json!({"text": "", "thought": true}), metadata));
            }
            Part::ToolCall(call) if !call.provider_executed => {
                let mut function = json!({"name": call.name, "args": call.args_object()});
                if let Some(id) = call.id.strip_prefix(super::decode::WIRE_ID) {
                    function["id"] = json!(id);
                }
                let mut part = signed(json!({"functionCall": function}), &call.metadata);
                // The first call of a step must be signed, else the whole conversation is refused.
                if calls == 0 && part.get("thoughtSignature").is_none() {
                    part["thoughtSignature"] = json!(NO_SIGNATURE);
                }
                calls += 1;
                parts.push(part);
            }
            _ => {}
        }
    }
    parts
}

fn signed(mut part: Value, metadata: &Metadata) -> Value {
    if let Some(signature) = metadata.text(FAMILY, "signature") {
        part["thoughtSignature"] = json!(signature);
    }
    part
}
