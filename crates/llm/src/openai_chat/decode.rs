//! Answers of Chat Completions, lenient where servers differ: ids that are missing or repeated, calls
//! that come whole, arguments that are an object, no `[DONE]` at the end.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::FAMILY;
use crate::wire::classify::{Signal, classify, parts_of};
use crate::wire::drive::DONE;
use crate::wire::emit::Emit;
use crate::wire::frames::Frame;
use crate::wire::{Decoder, malformed};
use crate::{Error, FinishReason, Metadata, ToolCall, Usage};

/// Reads one answer.
pub(crate) struct ChatDecoder {
    provider: &'static str,
    id: String,
    reason: Option<FinishReason>,
    refused: bool,
    calls: Vec<Call>,
    /// In which field the server says its reasoning.
    reasoning_field: Option<&'static str>,
    /// Signed or encrypted reasoning (OpenRouter), pieces with the same place joined.
    details: Vec<Value>,
}

struct Call {
    index: Option<u64>,
    wire_id: String,
    id: String,
    name: String,
    args: String,
    extra: Option<Value>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default, borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default, borrow, alias = "message")]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(default, borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    refusal: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(default)]
    reasoning_details: Option<Vec<Value>>,
    #[serde(default)]
    tool_calls: Option<Vec<WireCall>>,
    #[serde(default)]
    annotations: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct WireCall {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<Function>,
    #[serde(default)]
    extra_content: Option<Value>,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl ChatDecoder {
    pub(crate) fn new(provider: &'static str) -> Self {
        Self {
            provider,
            id: String::new(),
            reason: None,
            refused: false,
            calls: Vec::new(),
            reasoning_field: None,
            details: Vec::new(),
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>, out: &mut Emit) -> Result<(), Error> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(self.failed(&json!({"error": error})));
        }
        if let Some(id) = chunk.id.filter(|_| self.id.is_empty()) {
            self.id = id.into_owned();
        }
        if let Some(usage) = chunk.usage {
            let cached = usage
                .prompt_tokens_details
                .and_then(|d| d.cached_tokens)
                .unwrap_or(0);
            out.usage(Usage {
                input_tokens: usage.prompt_tokens.unwrap_or(0).saturating_sub(cached),
                output_tokens: usage.completion_tokens.unwrap_or(0),
                reasoning_tokens: usage
                    .completion_tokens_details
                    .and_then(|d| d.reasoning_tokens)
                    .unwrap_or(0),
                cache_read_tokens: cached,
                cache_write_tokens: 0,
            });
        }
        // One choice is asked for; more are ignored.
        let Some(choice) = chunk.choices.into_iter().flatten().next() else {
            return Ok(());
        };
        if let Some(delta) = choice.delta {
            self.delta(delta, out)?;
        }
        if let Some(reason) = choice.finish_reason {
            if reason == "error" {
                return Err(self.failed(&json!({"message": "the model behind the provider failed", "code": "server_error"})));
            }
            self.reason = Some(finish_reason(&reason));
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Emit) -> Result<(), Error> {
        for (field, text) in [
            ("reasoning_content", &delta.reasoning_content),
            ("reasoning", &delta.reasoning),
        ] {
            // Some servers say it twice, under both names.
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty())
                && self.reasoning_field.is_none_or(|own| own == field)
            {
                self.reasoning_field = Some(field);
                out.reasoning(text)?;
            }
        }
        for piece in delta.reasoning_details.into_iter().flatten() {
            self.detail(piece);
        }
        let text = delta.content.as_deref().unwrap_or_default();
        if !text.is_empty() {
            self.end_reasoning(out)?;
            out.text(text)?;
        }
        if let Some(refusal) = delta.refusal.as_deref().filter(|text| !text.is_empty()) {
            self.refused = true;
            self.end_reasoning(out)?;
            out.text(refusal)?;
        }
        for annotation in delta.annotations.into_iter().flatten() {
            let cited = &annotation["url_citation"];
            out.source(
                cited["url"].as_str().unwrap_or_default(),
                cited["title"].as_str().unwrap_or_default(),
            )?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.end_reasoning(out)?;
            self.call(call, out)?;
        }
        Ok(())
    }

    fn end_reasoning(&mut self, out: &mut Emit) -> Result<(), Error> {
        if !out.reasoning_is_open() && self.details.is_empty() {
            return Ok(());
        }
        let mut own = json!({});
        if let Some(field) = self.reasoning_field {
            own["field"] = json!(field);
        }
        if !self.details.is_empty() {
            own["details"] = Value::Array(std::mem::take(&mut self.details));
        }
        out.reasoning_end(Metadata::of(FAMILY, own))
    }

    /// Joins a piece of structured reasoning with those before of the same kind and place.
    fn detail(&mut self, piece: Value) {
        if let Some(last) = self.details.last_mut()
            && last["type"] == piece["type"]
            && last["index"] == piece["index"]
        {
            for key in ["text", "summary", "data"] {
                if let Some(more) = piece[key].as_str() {
                    let whole = format!("{}{more}", last[key].as_str().unwrap_or_default());
                    last[key] = json!(whole);
                }
            }
            for key in ["signature", "id", "format"] {
                if piece[key].is_string() {
                    last[key] = piece[key].clone();
                }
            }
            return;
        }
        // Bounded like all that an answer holds: the text comes a second time in `reasoning`.
        if self.details.len() < crate::wire::emit::MAX_BLOCKS {
            self.details.push(piece);
        }
    }

    fn call(&mut self, wire: WireCall, out: &mut Emit) -> Result<(), Error> {
        let wire_id = wire.id.unwrap_or_default();
        let (name, args) = wire
            .function
            .map(|f| (f.name.unwrap_or_default(), f.arguments))
            .unwrap_or_default();
        let args = match args {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => String::new(),
            Some(object) => object.to_string(),
        };
        let at = self.calls.iter().rposition(|call| match wire.index {
            Some(index) if call.index == Some(index) => {
                // A new id under an old index is a new call.
                wire_id.is_empty() || wire_id == call.wire_id
            }
            Some(_) => false,
            None => !wire_id.is_empty() && wire_id == call.wire_id && name.is_empty(),
        });
        let at = match at {
            Some(at) => at,
            None if name.is_empty() && wire_id.is_empty() && !self.calls.is_empty() => {
                self.calls.len() - 1
            }
            None => {
                let id = out.call_start(&wire_id, &name)?;
                self.calls.push(Call {
                    index: wire.index,
                    wire_id,
                    id,
                    name,
                    args: String::new(),
                    extra: None,
                });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[at];
        if wire.extra_content.is_some() {
            call.extra = wire.extra_content;
        }
        call.args.push_str(&args);
        out.call_args(&call.id, &args)
    }

    fn finish(&mut self, out: &mut Emit) -> Result<(), Error> {
        self.end_reasoning(out)?;
        for call in self.calls.drain(..) {
            out.call_end(ToolCall {
                metadata: call.extra.map_or_else(Metadata::default, |extra| {
                    Metadata::of(FAMILY, json!({"extra_content": extra}))
                }),
                id: call.id,
                name: call.name,
                args: call.args,
                provider_executed: false,
            });
        }
        let reason = match self.reason.unwrap_or(FinishReason::Other) {
            // Several servers say `stop` after calls.
            FinishReason::Stop | FinishReason::Other if out.has_calls() => FinishReason::ToolCalls,
            FinishReason::Stop if self.refused => FinishReason::Refusal,
            other => other,
        };
        let id = std::mem::take(&mut self.id);
        out.finish(reason, &id);
        Ok(())
    }

    fn failed(&self, error: &Value) -> Error {
        let (code, message) = parts_of(error).unwrap_or_default();
        let status = error
            .pointer("/error/code")
            .and_then(Value::as_u64)
            .filter(|code| (400..600).contains(code))
            .unwrap_or(0) as u16;
        classify(
            &Signal {
                provider: self.provider,
                status,
                code,
                message,
                ..Signal::default()
            },
            &[],
        )
    }
}

impl Decoder for ChatDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Emit) -> Result<(), Error> {
        if frame.data.trim() == DONE {
            // A server that ends a stream without a reason was cut itself.
            return if self.reason.is_some() {
                self.finish(out)
            } else {
                Ok(())
            };
        }
        let chunk: Chunk<'_> =
            serde_json::from_str(&frame.data).map_err(|e| malformed(self.provider, &e))?;
        self.chunk(chunk, out)
    }

    fn end(&mut self, out: &mut Emit) -> Result<(), Error> {
        if self.reason.is_some() {
            self.finish(out)?;
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], out: &mut Emit) -> Result<(), Error> {
        let chunk: Chunk<'_> =
            serde_json::from_slice(body).map_err(|e| malformed(self.provider, &e))?;
        self.chunk(chunk, out)?;
        self.end(out)
    }
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "stop" | "eos" | "end_turn" => FinishReason::Stop,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}
