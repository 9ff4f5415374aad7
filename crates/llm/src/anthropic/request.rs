//! A request of the Messages API from ours.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::FAMILY;
use super::media;
use super::options::Options;
use super::thinking::{Thinking, thinking};
use crate::computer;
use crate::conversation::{Turn, turns};
use crate::{Error, Part, Request, Role, ToolChoice, ToolOutput, ToolResult};

/// Tokens when the model's configuration does not say; the API demands a number.
const DEFAULT_MAX_TOKENS: u32 = 32_000;

/// The body, and the betas that it needs.
pub(crate) fn body(
    request: &Request,
    stream: bool,
    provider: &str,
) -> Result<(Value, Vec<&'static str>), Error> {
    let options = Options::of(request);
    let max_tokens = request.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    // An answer of a given schema is a forced call, which thinking forbids.
    let thinking = if request.output_schema.is_some() {
        Thinking::default()
    } else {
        thinking(
            &request.model,
            request.reasoning_effort,
            &options,
            max_tokens,
        )
    };
    let mut betas = Vec::new();
    betas.extend(thinking.beta);
    if options.context_1m_enabled == Some(true) {
        betas.push("context-1m-2025-08-07");
    }
    let natives = request.tools.iter().filter_map(|tool| tool.native.as_ref());
    betas.extend(natives.filter_map(computer::beta));
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    set("model", json!(request.model));
    set("max_tokens", json!(max_tokens));
    if stream {
        set("stream", json!(true));
    }
    let send_reasoning = options.send_reasoning != Some(false);
    let (system, mut messages) = messages(request, send_reasoning, provider)?;
    if !system.is_empty() {
        set("system", Value::Array(system));
    }
    mark_for_cache(&mut messages);
    set("messages", Value::Array(messages));
    tools(request, &options, thinking.on(), &mut set);
    if !thinking.on() {
        // The API refuses both at once; a temperature says more.
        match (request.temperature, request.top_p) {
            (Some(t), _) => set("temperature", json!(t)),
            (None, Some(p)) => set("top_p", json!(p)),
            (None, None) => {}
        }
        if let Some(k) = request.top_k {
            set("top_k", json!(k));
        }
    }
    if let Some(effort) = thinking.effort {
        set("output_config", json!({"effort": effort}));
    }
    if let Some(thinking) = thinking.thinking {
        set("thinking", thinking);
    }
    Ok((Value::Object(body), betas))
}

fn tools(request: &Request, options: &Options, thinks: bool, set: &mut impl FnMut(&str, Value)) {
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| match &tool.native {
            Some(native) => native.clone(),
            None => json!({"name": tool.name, "description": tool.description, "input_schema": tool.schema}),
        })
        .collect();
    if let Some(search) = &request.web_search {
        let mut tool = json!({"type": "web_search_20250305", "name": "web_search"});
        // The API takes one of the lists only.
        if !search.allowed_domains.is_empty() {
            tool["allowed_domains"] = json!(search.allowed_domains);
        } else if !search.blocked_domains.is_empty() {
            tool["blocked_domains"] = json!(search.blocked_domains);
        }
        tools.push(tool);
    }
    let mut choice = match &request.tool_choice {
        ToolChoice::None => Some(json!({"type": "none"})),
        // While it thinks, the model cannot be forced.
        ToolChoice::Required if !thinks => Some(json!({"type": "any"})),
        ToolChoice::Tool(name) if !thinks => Some(json!({"type": "tool", "name": name})),
        _ => None,
    };
    if let Some(schema) = &request.output_schema {
        tools.push(json!({"name": schema.name, "description": "Give the answer.", "input_schema": schema.schema}));
        choice = Some(json!({"type": "tool", "name": schema.name}));
    }
    if tools.is_empty() {
        return;
    }
    if options.disable_parallel_tool_use == Some(true) && request.tool_choice != ToolChoice::None {
        choice.get_or_insert_with(|| json!({"type": "auto"}))["disable_parallel_tool_use"] =
            json!(true);
    }
    set("tools", Value::Array(tools));
    if let Some(choice) = choice {
        set("tool_choice", choice);
    }
}

/// System blocks and messages.
fn messages(
    request: &Request,
    send_reasoning: bool,
    provider: &str,
) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let turns = turns(&request.messages);
    let mut system = Vec::new();
    let mut messages: Vec<Value> = Vec::new();
    for turn in &turns {
        if turn.role == Role::System && messages.is_empty() {
            system.extend(texts(turn).map(|text| json!({"type": "text", "text": text})));
            continue;
        }
        let (role, blocks) = match turn.role {
            // The API has no place for instructions further down but the user's voice.
            Role::System | Role::User | Role::Tool => ("user", user(turn, provider)?),
            Role::Assistant => ("assistant", assistant(turn, send_reasoning)),
        };
        if blocks.is_empty() {
            continue;
        }
        match messages.last_mut() {
            Some(last) if last["role"] == role => {
                if let Some(content) = last["content"].as_array_mut() {
                    content.extend(blocks);
                }
            }
            _ => messages.push(json!({"role": role, "content": blocks})),
        }
    }
    if let Some(last) = system.last_mut() {
        last["cache_control"] = json!({"type": "ephemeral"});
    }
    Ok((system, messages))
}

fn texts<'a>(turn: &'a Turn<'_>) -> impl Iterator<Item = &'a str> {
    turn.parts.iter().filter_map(|part| match part.as_ref() {
        Part::Text { text, .. } if !text.trim().is_empty() => Some(text.as_str()),
        _ => None,
    })
}

fn user(turn: &Turn<'_>, provider: &str) -> Result<Vec<Value>, Error> {
    let mut blocks = Vec::new();
    for part in &turn.parts {
        match part.as_ref() {
            Part::Text { text, .. } if !text.trim().is_empty() => {
                blocks.push(json!({"type": "text", "text": text}));
            }
            Part::Media(file) => blocks.push(media::block(file, provider)?),
            Part::ToolResult(result) => blocks.push(tool_result(result, provider)?),
            _ => {}
        }
    }
    Ok(blocks)
}

fn tool_result(result: &ToolResult, provider: &str) -> Result<Value, Error> {
    let content = match &result.output {
        ToolOutput::Text(text) => json!(text),
        ToolOutput::Provider(value) => json!(value.to_string()),
        ToolOutput::Media { text, media } => {
            let mut blocks = Vec::new();
            if !text.trim().is_empty() {
                blocks.push(json!({"type": "text", "text": text}));
            }
            blocks.push(media::block(media, provider)?);
            Value::Array(blocks)
        }
    };
    let mut block =
        json!({"type": "tool_result", "tool_use_id": id(&result.call_id), "content": content});
    if result.is_error {
        block["is_error"] = json!(true);
    }
    Ok(block)
}

/// Ids of calls in the alphabet of the API; ids of other providers may use more.
fn id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !id.is_empty() && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let mapped: String = id.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    // Two ids must not become one.
    let sum = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    Cow::Owned(format!("{mapped}_{sum:x}"))
}

fn assistant(turn: &Turn<'_>, send_reasoning: bool) -> Vec<Value> {
    let pairs = search_pairs(turn);
    let mut blocks = Vec::new();
    for part in &turn.parts {
        match part.as_ref() {
            Part::Text { text, .. } if !text.trim().is_empty() => {
                blocks.push(json!({"type": "text", "text": text}));
            }
            Part::Reasoning { text, metadata } if send_reasoning => {
                if let Some(data) = metadata.text(FAMILY, "redacted") {
                    blocks.push(json!({"type": "redacted_thinking", "data": data}));
                } else if let Some(signature) = metadata.text(FAMILY, "signature") {
                    blocks.push(
                        json!({"type": "thinking", "thinking": text, "signature": signature}),
                    );
                }
            }
            Part::ToolCall(call) if !call.provider_executed => blocks.push(json!({"type": "tool_use", "id": id(&call.id), "name": call.name, "input": call.args_object()})),
            Part::ToolCall(call) if pairs.contains(&call.id) => {
                blocks.push(json!({"type": "server_tool_use", "id": call.id, "name": call.name, "input": call.args_object()}));
            }
            Part::ToolResult(result) if pairs.contains(&result.call_id) => {
                if let ToolOutput::Provider(content) = &result.output {
                    blocks.push(json!({"type": "web_search_tool_result", "tool_use_id": result.call_id, "content": content}));
                }
            }
            _ => {}
        }
    }
    // Thinking alone, or thinking at the end, is refused.
    while blocks.last().is_some_and(is_thinking) {
        blocks.pop();
    }
    blocks
}

/// Searches of this provider whose call and answer are both there, in order; others are refused.
fn search_pairs(turn: &Turn<'_>) -> HashSet<String> {
    let mut called = HashSet::new();
    let mut pairs = HashSet::new();
    for part in &turn.parts {
        match part.as_ref() {
            Part::ToolCall(call)
                if call.provider_executed
                    && call.name == "web_search"
                    && call.metadata.get(FAMILY).is_some() =>
            {
                called.insert(call.id.clone());
            }
            Part::ToolResult(result)
                if result.provider_executed
                    && matches!(result.output, ToolOutput::Provider(_))
                    && called.contains(&result.call_id) =>
            {
                pairs.insert(result.call_id.clone());
            }
            _ => {}
        }
    }
    pairs
}

fn is_thinking(block: &Value) -> bool {
    matches!(
        block["type"].as_str(),
        Some("thinking" | "redacted_thinking")
    )
}

/// Lets the provider cache the conversation up to each of its last two messages: the one before is
/// what the previous call has written, the last is what the next call will read.
fn mark_for_cache(messages: &mut [Value]) {
    let from = messages.len().saturating_sub(2);
    for message in &mut messages[from..] {
        let Some(blocks) = message["content"].as_array_mut() else {
            continue;
        };
        if let Some(block) = blocks.iter_mut().rev().find(|block| !is_thinking(block)) {
            block["cache_control"] = json!({"type": "ephemeral"});
        }
    }
}
