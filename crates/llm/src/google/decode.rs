//! Answers of the Gemini API.

use serde::Deserialize;
use serde_json::{Value, json};

use super::FAMILY;
use crate::wire::classify::{Signal, classify, parts_of};
use crate::wire::emit::Emit;
use crate::wire::frames::Frame;
use crate::wire::{Decoder, malformed};
use crate::{Error, ErrorKind, FinishReason, Metadata, ToolCall, Usage};

/// Begins our ids of calls that had an id on the wire.
pub(super) const WIRE_ID: &str = "g_";

/// Reads one answer.
pub(super) struct GeminiDecoder {
    provider: &'static str,
    id: String,
    reason: Option<FinishReason>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    prompt_feedback: Option<Feedback>,
    #[serde(default)]
    usage_metadata: Option<WireUsage>,
    #[serde(default)]
    response_id: Option<String>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    grounding_metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<WirePart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePart {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    #[serde(default)]
    thought_signature: Option<String>,
    #[serde(default)]
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
struct WireUsage {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    #[serde(default)]
    thoughts_token_count: u64,
    #[serde(default)]
    cached_content_token_count: u64,
    #[serde(default)]
    tool_use_prompt_token_count: u64,
}

impl GeminiDecoder {
    pub(super) fn new(provider: &'static str) -> Self {
        Self {
            provider,
            id: String::new(),
            reason: None,
        }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Emit) -> Result<(), Error> {
        if let Some(error) = chunk.error {
            let (code, message) = parts_of(&json!({"error": error})).unwrap_or_default();
            let status = error["code"].as_u64().unwrap_or(0).min(599) as u16;
            return Err(classify(
                &Signal {
                    provider: self.provider,
                    status,
                    code,
                    message,
                    ..Signal::default()
                },
                &[],
            ));
        }
        if let Some(reason) = chunk.prompt_feedback.and_then(|f| f.block_reason) {
            return Err(Error::new(
                ErrorKind::ContentFilter,
                "Google refused this content by its content filter.",
            )
            .detail(&format!("the prompt was blocked: {reason}"))
            .provider(self.provider));
        }
        if let Some(id) = chunk.response_id {
            self.id = id;
        }
        if let Some(usage) = chunk.usage_metadata {
            let cached = usage.cached_content_token_count;
            let input = usage.prompt_token_count + usage.tool_use_prompt_token_count;
            out.usage(Usage {
                input_tokens: input.saturating_sub(cached),
                output_tokens: usage.candidates_token_count + usage.thoughts_token_count,
                reasoning_tokens: usage.thoughts_token_count,
                cache_read_tokens: cached,
                cache_write_tokens: 0,
            });
        }
        let Some(candidate) = chunk.candidates.into_iter().next() else {
            return Ok(());
        };
        for part in candidate.content.map(|c| c.parts).unwrap_or_default() {
            part_in(part, out)?;
        }
        if let Some(grounding) = candidate.grounding_metadata {
            for found in grounding["groundingChunks"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let web = &found["web"];
                out.source(
                    web["uri"].as_str().unwrap_or_default(),
                    web["title"].as_str().unwrap_or_default(),
                )?;
            }
        }
        if let Some(reason) = candidate.finish_reason {
            self.reason = Some(finish_reason(&reason));
        }
        Ok(())
    }
}

fn part_in(part: WirePart, out: &mut Emit) -> Result<(), Error> {
    let metadata = part.thought_signature.map_or_else(Metadata::default, |s| {
        Metadata::of(FAMILY, json!({"signature": s}))
    });
    if let Some(call) = part.function_call {
        let wire_id = call.id.unwrap_or_default();
        let id = if wire_id.is_empty() {
            String::new()
        } else {
            format!("{WIRE_ID}{wire_id}")
        };
        let id = out.call_start(&id, &call.name)?;
        let args = match call.args {
            Value::Null => String::new(),
            args => args.to_string(),
        };
        out.call_args(&id, &args)?;
        out.call_end(ToolCall {
            id,
            name: call.name,
            args,
            provider_executed: false,
            metadata,
        });
        return Ok(());
    }
    let text = part.text.unwrap_or_default();
    if part.thought {
        out.reasoning(&text)?;
        if !metadata.is_empty() {
            out.reasoning_end(metadata)?;
        }
    } else {
        out.text(&text)?;
        if !metadata.is_empty() {
            out.text_end(metadata);
        }
    }
    Ok(())
}

impl Decoder for GeminiDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Emit) -> Result<(), Error> {
        let chunk = serde_json::from_str(&frame.data).map_err(|e| malformed(self.provider, &e))?;
        self.chunk(chunk, out)
    }

    fn end(&mut self, out: &mut Emit) -> Result<(), Error> {
        if let Some(reason) = self.reason {
            let reason = if out.has_calls() && reason == FinishReason::Stop {
                FinishReason::ToolCalls
            } else {
                reason
            };
            let id = std::mem::take(&mut self.id);
            out.finish(reason, &id);
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], out: &mut Emit) -> Result<(), Error> {
        let chunk = serde_json::from_slice(body).map_err(|e| malformed(self.provider, &e))?;
        self.chunk(chunk, out)?;
        self.end(out)
    }
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY" => {
            FinishReason::ContentFilter
        }
        _ => FinishReason::Other,
    }
}
