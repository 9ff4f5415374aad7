//! Answers of the Messages API.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::FAMILY;
use crate::wire::classify::{Signal, classify, parts_of};
use crate::wire::emit::Emit;
use crate::wire::frames::Frame;
use crate::wire::{Decoder, malformed};
use crate::{Error, FinishReason, Metadata, Request, ToolCall, ToolOutput, ToolResult, Usage};

/// Reads one answer.
pub(crate) struct MessagesDecoder {
    provider: &'static str,
    /// The tool whose arguments are the answer itself.
    answer_tool: Option<String>,
    id: String,
    usage: Usage,
    stop: Option<FinishReason>,
    blocks: HashMap<u64, Block>,
}

/// A block that has begun.
enum Block {
    Text,
    Thinking {
        signature: String,
    },
    Call {
        id: String,
        name: String,
        args: String,
    },
    /// The arguments are the answer.
    Answer,
    ServerCall {
        id: String,
        name: String,
        args: String,
    },
    /// Complete when it began, or unknown.
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire<'a> {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Value,
    },
    ContentBlockDelta {
        index: u64,
        #[serde(borrow)]
        delta: Delta<'a>,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: Stop,
        #[serde(default)]
        usage: Option<WireUsage>,
    },
    MessageStop,
    Error,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    id: String,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text {
        #[serde(borrow)]
        text: std::borrow::Cow<'a, str>,
    },
    #[serde(rename = "thinking_delta")]
    Thinking {
        #[serde(borrow)]
        thinking: std::borrow::Cow<'a, str>,
    },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "input_json_delta")]
    InputJson {
        #[serde(borrow)]
        partial_json: std::borrow::Cow<'a, str>,
    },
    #[serde(rename = "citations_delta")]
    Citations { citation: Value },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Stop {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
struct WireUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    id: String,
    #[serde(default)]
    content: Vec<Value>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

impl MessagesDecoder {
    pub(crate) fn new(provider: &'static str, request: &Request) -> Self {
        Self {
            provider,
            answer_tool: request.output_schema.as_ref().map(|s| s.name.clone()),
            id: String::new(),
            usage: Usage::default(),
            stop: None,
            blocks: HashMap::new(),
        }
    }

    fn take_usage(&mut self, usage: Option<WireUsage>) {
        // The last word counts for each number; later messages repeat only some of them.
        let Some(usage) = usage else { return };
        let own = &mut self.usage;
        own.input_tokens = usage.input_tokens.unwrap_or(own.input_tokens);
        own.output_tokens = usage.output_tokens.unwrap_or(own.output_tokens);
        own.cache_read_tokens = usage
            .cache_read_input_tokens
            .unwrap_or(own.cache_read_tokens);
        own.cache_write_tokens = usage
            .cache_creation_input_tokens
            .unwrap_or(own.cache_write_tokens);
    }

    fn begin(&mut self, index: u64, block: &Value, out: &mut Emit) -> Result<(), Error> {
        let text = |key: &str| block[key].as_str().unwrap_or_default();
        let begun = match text("type") {
            "text" => {
                out.text(text("text"))?;
                for citation in block["citations"].as_array().into_iter().flatten() {
                    cite(citation, out)?;
                }
                Block::Text
            }
            "thinking" => {
                out.reasoning(text("thinking"))?;
                Block::Thinking {
                    signature: text("signature").to_owned(),
                }
            }
            "redacted_thinking" => {
                out.reasoning_end(Metadata::of(FAMILY, json!({"redacted": text("data")})))?;
                Block::Other
            }
            "tool_use" if self.answer_tool.as_deref() == Some(text("name")) => {
                out.text(&given_input(block))?;
                Block::Answer
            }
            "tool_use" => {
                let id = out.call_start(text("id"), text("name"))?;
                let args = given_input(block);
                out.call_args(&id, &args)?;
                Block::Call {
                    id,
                    name: text("name").to_owned(),
                    args,
                }
            }
            "server_tool_use" => Block::ServerCall {
                id: text("id").to_owned(),
                name: text("name").to_owned(),
                args: given_input(block),
            },
            "web_search_tool_result" => {
                search_result(block, out)?;
                Block::Other
            }
            _ => Block::Other,
        };
        self.blocks.insert(index, begun);
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>, out: &mut Emit) -> Result<(), Error> {
        let block = self.blocks.get_mut(&index);
        match (delta, block) {
            (Delta::Text { text }, _) => out.text(&text),
            (Delta::Thinking { thinking }, _) => out.reasoning(&thinking),
            (Delta::Signature { signature: new }, Some(Block::Thinking { signature })) => {
                signature.push_str(&new);
                Ok(())
            }
            (Delta::InputJson { partial_json }, Some(Block::Call { id, args, .. })) => {
                args.push_str(&partial_json);
                out.call_args(id, &partial_json)
            }
            (Delta::InputJson { partial_json }, Some(Block::ServerCall { args, .. })) => {
                args.push_str(&partial_json);
                Ok(())
            }
            (Delta::InputJson { partial_json }, Some(Block::Answer)) => out.text(&partial_json),
            (Delta::Citations { citation }, _) => cite(&citation, out),
            _ => Ok(()),
        }
    }

    fn stop(&mut self, index: u64, out: &mut Emit) -> Result<(), Error> {
        match self.blocks.remove(&index) {
            Some(Block::Text | Block::Answer) => out.text_end(Metadata::default()),
            Some(Block::Thinking { signature }) => {
                let metadata = if signature.is_empty() {
                    Metadata::default()
                } else {
                    Metadata::of(FAMILY, json!({"signature": signature}))
                };
                out.reasoning_end(metadata)?;
            }
            Some(Block::Call { id, name, args }) => out.call_end(ToolCall {
                id,
                name,
                args,
                provider_executed: false,
                metadata: Metadata::default(),
            }),
            Some(Block::ServerCall { id, name, args }) => out.provider_call(ToolCall {
                metadata: Metadata::of(FAMILY, json!({"id": id})),
                id,
                name,
                args,
                provider_executed: true,
            })?,
            Some(Block::Other) | None => {}
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Emit) {
        out.usage(self.usage);
        let reason = self.stop.unwrap_or(FinishReason::Other);
        // The forced call of a given schema is an answer, not a call.
        let reason = match reason {
            FinishReason::ToolCalls if !out.has_calls() => FinishReason::Stop,
            other => other,
        };
        out.finish(reason, &self.id);
    }
}

impl Decoder for MessagesDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Emit) -> Result<(), Error> {
        let event: Wire<'_> =
            serde_json::from_str(&frame.data).map_err(|e| malformed(self.provider, &e))?;
        match event {
            Wire::MessageStart { message } => {
                self.id = message.id;
                self.take_usage(message.usage);
                Ok(())
            }
            Wire::ContentBlockStart {
                index,
                content_block,
            } => self.begin(index, &content_block, out),
            Wire::ContentBlockDelta { index, delta } => self.delta(index, delta, out),
            Wire::ContentBlockStop { index } => self.stop(index, out),
            Wire::MessageDelta { delta, usage } => {
                self.take_usage(usage);
                self.stop = delta.stop_reason.as_deref().map(stop_reason).or(self.stop);
                Ok(())
            }
            Wire::MessageStop => {
                self.finish(out);
                Ok(())
            }
            Wire::Error => Err(stream_error(self.provider, &frame.data)),
            Wire::Other => Ok(()),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut Emit) -> Result<(), Error> {
        let whole: Whole =
            serde_json::from_slice(body).map_err(|e| malformed(self.provider, &e))?;
        self.id = whole.id;
        self.take_usage(whole.usage);
        self.stop = whole.stop_reason.as_deref().map(stop_reason);
        for (index, block) in (0..).zip(&whole.content) {
            self.begin(index, block, out)?;
            self.stop(index, out)?;
        }
        self.finish(out);
        Ok(())
    }
}

/// An error within a stream, in the shape of an error body.
fn stream_error(provider: &str, data: &str) -> Error {
    let (code, message) = serde_json::from_str(data)
        .ok()
        .and_then(|value: Value| parts_of(&value))
        .unwrap_or_default();
    classify(
        &Signal {
            provider,
            code,
            message,
            ..Signal::default()
        },
        &[],
    )
}

/// The input of a block that came whole; streamed blocks begin with an empty one.
fn given_input(block: &Value) -> String {
    match &block["input"] {
        Value::Object(map) if map.is_empty() => String::new(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn cite(citation: &Value, out: &mut Emit) -> Result<(), Error> {
    out.source(
        citation["url"].as_str().unwrap_or_default(),
        citation["title"].as_str().unwrap_or_default(),
    )
}

fn search_result(block: &Value, out: &mut Emit) -> Result<(), Error> {
    let content = &block["content"];
    for hit in content.as_array().into_iter().flatten() {
        cite(hit, out)?;
    }
    let id = block["tool_use_id"].as_str().unwrap_or_default();
    out.provider_result(
        ToolResult {
            call_id: id.to_owned(),
            name: "web_search".to_owned(),
            output: ToolOutput::Provider(content.clone()),
            is_error: content["type"] == "web_search_tool_result_error",
            provider_executed: true,
            metadata: Metadata::of(FAMILY, json!({"id": id})),
        },
        content.to_string().len(),
    )
}

fn stop_reason(reason: &str) -> FinishReason {
    match reason {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "tool_use" => FinishReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "refusal" => FinishReason::Refusal,
        "pause_turn" => FinishReason::Pause,
        _ => FinishReason::Other,
    }
}
