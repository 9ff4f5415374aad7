//! Requests and answers in one form for all providers, as debug logs show them.

use llm::{Error, FinishReason, Message, Part, Request, Role, ToolChoice, ToolOutput, Usage};
use serde_json::{Map, Value, json};

use super::redact;

/// Most messages of a request that are kept: the newest.
const MAX_MESSAGES: usize = 200;

pub(super) fn request(request: &Request) -> Value {
    let skipped = request.messages.len().saturating_sub(MAX_MESSAGES);
    let mut shown = Map::new();
    let messages: Vec<Value> = request.messages.iter().skip(skipped).map(message).collect();
    shown.insert("messages".to_owned(), messages.into());
    if skipped > 0 {
        shown.insert("skipped_messages".to_owned(), skipped.into());
    }
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "type": if tool.native.is_some() { "provider_defined" } else { "function" },
                "name": tool.name,
                "description": redact::text(&tool.description),
                "has_input_schema": tool.schema.is_object(),
                "input_schema": tool.schema,
            })
        })
        .collect();
    if !tools.is_empty() {
        shown.insert("tools".to_owned(), tools.into());
    }
    shown.insert("options".to_owned(), options(request));
    let choice = match &request.tool_choice {
        ToolChoice::Auto => "auto",
        ToolChoice::None => "none",
        ToolChoice::Required => "required",
        ToolChoice::Tool(name) => name,
    };
    shown.insert("tool_choice".to_owned(), choice.into());
    if let Some(schema) = &request.output_schema {
        shown.insert("structured_output".to_owned(), true.into());
        shown.insert("schema_name".to_owned(), schema.name.clone().into());
    }
    shown.insert(
        "provider_option_count".to_owned(),
        request.provider_options.len().into(),
    );
    shown.into()
}

fn options(request: &Request) -> Value {
    let mut shown = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), value);
        }
    };
    set(
        "max_output_tokens",
        request.max_output_tokens.map(Value::from),
    );
    set("temperature", request.temperature.map(Value::from));
    set("top_p", request.top_p.map(Value::from));
    set("top_k", request.top_k.map(Value::from));
    set(
        "presence_penalty",
        request.presence_penalty.map(Value::from),
    );
    set(
        "frequency_penalty",
        request.frequency_penalty.map(Value::from),
    );
    let effort = request
        .reasoning_effort
        .map(|effort| effort.as_str().into());
    set("reasoning_effort", effort);
    shown.into()
}

fn message(message: &Message) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    json!({ "role": role, "parts": parts(&message.parts) })
}

/// Parts of a message, or of an answer.
fn parts(parts: &[Part]) -> Value {
    parts.iter().map(part).collect()
}

fn text_of(kind: &str, text: &str) -> Value {
    json!({ "type": kind, "text": redact::text(text), "text_length": text.chars().count() })
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text { text, .. } => text_of("text", text),
        Part::Reasoning { text, .. } => text_of("reasoning", text),
        Part::Media(media) => json!({
            "type": "file",
            "media_type": media.media_type,
            "filename": media.name,
            "size": media.data.bytes().len(),
        }),
        Part::ToolCall(call) => json!({
            "type": "tool-call",
            "tool_call_id": call.id,
            "tool_name": call.name,
            "arguments": redact::text(&call.args),
            "input_length": call.args.chars().count(),
        }),
        Part::ToolResult(result) => {
            let text = match &result.output {
                ToolOutput::Text(text) | ToolOutput::Media { text, .. } => redact::text(text),
                ToolOutput::Provider(value) => redact::text(&value.to_string()),
            };
            json!({
                "type": "tool-result",
                "tool_call_id": result.call_id,
                "tool_name": result.name,
                "result": text,
                "is_error": result.is_error,
            })
        }
        Part::Source(source) => json!({
            "type": "source",
            "title": source.title,
            "url": source.url,
        }),
    }
}

pub(super) fn response(said: &[Part], finish: Option<FinishReason>, usage: &Usage) -> Value {
    json!({
        "content": parts(said),
        "finish_reason": finish.map_or("", reason),
        "usage": self::usage(usage),
    })
}

fn reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool-calls",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content-filter",
        FinishReason::Pause => "pause",
        FinishReason::Refusal => "refusal",
        FinishReason::Other => "other",
    }
}

pub(super) fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total(),
        "reasoning_tokens": usage.reasoning_tokens,
        "cache_creation_tokens": usage.cache_write_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
    })
}

pub(super) fn error(error: &Error) -> Value {
    json!({
        "message": error.message,
        "type": error.kind.as_str(),
        "context_error": redact::text(&error.detail),
        "provider_title": error.provider,
        "provider_status": error.status,
        "is_retryable": error.retryable,
    })
}

/// What names a run to people: the last words of the user.
pub(super) fn label(request: &Request) -> Value {
    let said = request
        .messages
        .iter()
        .rev()
        .filter(|message| message.role == Role::User)
        .flat_map(|message| &message.parts)
        .find_map(|part| match part {
            Part::Text { text, .. } => Some(redact::label(text)),
            _ => None,
        });
    match said.filter(|text| !text.is_empty()) {
        Some(text) => json!({ "first_message": text }),
        None => json!({}),
    }
}
