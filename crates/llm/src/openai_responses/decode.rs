//! Answers of the Responses API.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::FAMILY;
use crate::wire::classify::{Signal, classify, parts_of};
use crate::wire::emit::Emit;
use crate::wire::frames::Frame;
use crate::wire::{Decoder, malformed};
use crate::{Error, FinishReason, Metadata, ToolCall, ToolOutput, ToolResult, Usage};

/// Reads one answer.
pub(crate) struct ResponsesDecoder {
    provider: &'static str,
    id: String,
    refused: bool,
    /// Calls that have begun, by their place in the answer.
    calls: HashMap<u64, Call>,
    /// The part of the summary that is being written.
    summary_part: Option<(u64, u64)>,
}

struct Call {
    id: String,
    args: String,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    summary_index: u64,
    #[serde(default, borrow)]
    delta: Option<Cow<'a, str>>,
    #[serde(default)]
    item: Option<Value>,
    #[serde(default)]
    annotation: Option<Value>,
    #[serde(default)]
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    incomplete_details: Option<Value>,
    #[serde(default)]
    output: Vec<Value>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct WireUsage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: u64,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: u64,
}

impl ResponsesDecoder {
    pub(crate) fn new(provider: &'static str) -> Self {
        Self {
            provider,
            id: String::new(),
            refused: false,
            calls: HashMap::new(),
            summary_part: None,
        }
    }

    fn item_added(&mut self, index: u64, item: &Value, out: &mut Emit) -> Result<(), Error> {
        if item["type"] == "function_call" {
            let id = out.call_start(text(item, "call_id"), text(item, "name"))?;
            let args = String::new();
            self.calls.insert(index, Call { id, args });
        }
        Ok(())
    }

    fn item_done(&mut self, index: u64, item: &Value, out: &mut Emit) -> Result<(), Error> {
        match text(item, "type") {
            "message" => {
                let mut keep = json!({});
                for key in ["id", "phase"] {
                    if let Some(value) = item[key].as_str() {
                        keep[key] = json!(value);
                    }
                }
                // Ids alone mean nothing where nothing is stored, but a phase must come back.
                let metadata = if keep.get("phase").is_some() {
                    Metadata::of(FAMILY, keep)
                } else {
                    Metadata::default()
                };
                out.text_end(metadata);
            }
            "reasoning" => self.reasoning_done(item, out)?,
            "function_call" => {
                if !self.calls.contains_key(&index) {
                    self.item_added(index, item, out)?;
                }
                if let Some(call) = self.calls.remove(&index) {
                    let args = text(item, "arguments");
                    if call.args.is_empty() {
                        out.call_args(&call.id, args)?;
                    }
                    out.call_end(ToolCall {
                        id: call.id,
                        name: text(item, "name").to_owned(),
                        args: args.to_owned(),
                        provider_executed: false,
                        metadata: id_metadata(item),
                    });
                }
            }
            "computer_call" => {
                let id = out.call_start(text(item, "call_id"), "computer")?;
                out.call_end(ToolCall {
                    id,
                    name: "computer".to_owned(),
                    args: computer_args(item).to_string(),
                    provider_executed: false,
                    metadata: Metadata::of(FAMILY, json!({"item": item})),
                });
            }
            "web_search_call" => searched(item, out)?,
            _ => {}
        }
        Ok(())
    }

    fn reasoning_done(&mut self, item: &Value, out: &mut Emit) -> Result<(), Error> {
        if !out.reasoning_is_open() {
            for (n, part) in item["summary"].as_array().into_iter().flatten().enumerate() {
                if n > 0 {
                    out.reasoning("\n\n")?;
                }
                out.reasoning(text(part, "text"))?;
            }
        }
        self.summary_part = None;
        let mut keep = json!({"id": item["id"], "summary": item["summary"]});
        let metadata = match item["encrypted_content"].as_str() {
            Some(encrypted) => {
                keep["encrypted_content"] = json!(encrypted);
                Metadata::of(FAMILY, keep)
            }
            None => Metadata::default(),
        };
        out.reasoning_end(metadata)
    }

    fn summary(&mut self, event: &Event<'_>, out: &mut Emit) -> Result<(), Error> {
        let part = (event.output_index, event.summary_index);
        if self
            .summary_part
            .replace(part)
            .is_some_and(|old| old != part)
            && out.reasoning_is_open()
        {
            out.reasoning("\n\n")?;
        }
        out.reasoning(event.delta.as_deref().unwrap_or_default())
    }

    fn finish(&mut self, response: Response, out: &mut Emit) -> Result<(), Error> {
        if let Some(usage) = &response.usage {
            let cached = usage
                .input_tokens_details
                .as_ref()
                .map_or(0, |d| d.cached_tokens);
            out.usage(Usage {
                input_tokens: usage.input_tokens.saturating_sub(cached),
                output_tokens: usage.output_tokens,
                reasoning_tokens: usage
                    .output_tokens_details
                    .as_ref()
                    .map_or(0, |d| d.reasoning_tokens),
                cache_read_tokens: cached,
                cache_write_tokens: 0,
            });
        }
        let why = response
            .incomplete_details
            .as_ref()
            .map_or("", |d| text(d, "reason"));
        let reason = match response.status.as_str() {
            "failed" | "cancelled" => return Err(self.failed(response.error.as_ref())),
            "incomplete" if why == "max_output_tokens" => FinishReason::Length,
            "incomplete" if why == "content_filter" => FinishReason::ContentFilter,
            "incomplete" => FinishReason::Other,
            _ if out.has_calls() => FinishReason::ToolCalls,
            _ if self.refused => FinishReason::Refusal,
            _ => FinishReason::Stop,
        };
        let id = if response.id.is_empty() {
            std::mem::take(&mut self.id)
        } else {
            response.id
        };
        out.finish(reason, &id);
        Ok(())
    }

    fn failed(&self, error: Option<&Value>) -> Error {
        let (code, message) = error
            .and_then(parts_of)
            .unwrap_or_else(|| (String::new(), String::new()));
        classify(
            &Signal {
                provider: self.provider,
                code,
                message,
                ..Signal::default()
            },
            &[],
        )
    }
}

impl Decoder for ResponsesDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Emit) -> Result<(), Error> {
        if frame.data == crate::wire::drive::DONE {
            return Ok(());
        }
        let event: Event<'_> =
            serde_json::from_str(&frame.data).map_err(|e| malformed(self.provider, &e))?;
        let index = event.output_index;
        match event.kind.as_ref() {
            "response.created" => {
                self.id = event.response.map(|r| r.id).unwrap_or_default();
                Ok(())
            }
            "response.output_text.delta" => out.text(event.delta.as_deref().unwrap_or_default()),
            "response.refusal.delta" => {
                self.refused = true;
                out.text(event.delta.as_deref().unwrap_or_default())
            }
            "response.reasoning_summary_text.delta" => self.summary(&event, out),
            "response.reasoning_text.delta" => {
                out.reasoning(event.delta.as_deref().unwrap_or_default())
            }
            "response.function_call_arguments.delta" => {
                if let (Some(call), Some(delta)) = (self.calls.get_mut(&index), &event.delta) {
                    call.args.push_str(delta);
                    out.call_args(&call.id, delta)?;
                }
                Ok(())
            }
            "response.output_text.annotation.added" => {
                event.annotation.map_or(Ok(()), |a| cite(&a, out))
            }
            "response.output_item.added" => match &event.item {
                Some(item) => self.item_added(index, item, out),
                None => Ok(()),
            },
            "response.output_item.done" => match &event.item {
                Some(item) => self.item_done(index, item, out),
                None => Ok(()),
            },
            "response.completed" | "response.incomplete" | "response.failed" => {
                match event.response {
                    Some(response) => self.finish(response, out),
                    None => Err(self.failed(None)),
                }
            }
            // Its fields stand at the top, or below `error`.
            "error" => {
                let value = serde_json::from_str(&frame.data).ok();
                Err(self.failed(value.as_ref()))
            }
            _ => Ok(()),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut Emit) -> Result<(), Error> {
        let mut response: Response =
            serde_json::from_slice(body).map_err(|e| malformed(self.provider, &e))?;
        for (index, item) in (0..).zip(std::mem::take(&mut response.output)) {
            for part in item["content"].as_array().into_iter().flatten() {
                match text(part, "type") {
                    "output_text" => out.text(text(part, "text"))?,
                    "refusal" => {
                        self.refused = true;
                        out.text(text(part, "refusal"))?;
                    }
                    _ => {}
                }
                for annotation in part["annotations"].as_array().into_iter().flatten() {
                    cite(annotation, out)?;
                }
            }
            self.item_done(index, &item, out)?;
        }
        self.finish(response, out)
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn id_metadata(item: &Value) -> Metadata {
    match item["id"].as_str() {
        // The provider demands that ids of calls begin so.
        Some(id) if id.starts_with("fc_") => Metadata::of(FAMILY, json!({"id": id})),
        _ => Metadata::default(),
    }
}

fn cite(annotation: &Value, out: &mut Emit) -> Result<(), Error> {
    if annotation["type"] != "url_citation" {
        return Ok(());
    }
    out.source(text(annotation, "url"), text(annotation, "title"))
}

fn searched(item: &Value, out: &mut Emit) -> Result<(), Error> {
    let id = text(item, "id").to_owned();
    let action = &item["action"];
    for source in action["sources"].as_array().into_iter().flatten() {
        out.source(text(source, "url"), text(source, "title"))?;
    }
    let size = item.to_string().len();
    out.provider_call(ToolCall {
        id: id.clone(),
        name: "web_search".to_owned(),
        args: action.to_string(),
        provider_executed: true,
        metadata: Metadata::of(FAMILY, json!({"item": item})),
    })?;
    out.provider_result(
        ToolResult {
            call_id: id,
            name: "web_search".to_owned(),
            output: ToolOutput::Provider(json!({"status": item["status"]})),
            is_error: item["status"] == "failed",
            provider_executed: true,
            metadata: Metadata::default(),
        },
        size,
    )
}
/// What is to be done on the screen: all actions, also of older models, which ask for one at a time.
/// What the user should be asked before comes with them.
fn computer_args(item: &Value) -> Value {
    let actions = match (&item["actions"], &item["action"]) {
        (Value::Array(actions), _) => actions.clone(),
        (_, Value::Null) => Vec::new(),
        (_, action) => vec![action.clone()],
    };
    let mut args = json!({ "actions": actions });
    if let Some(checks) = item["pending_safety_checks"].as_array()
        && !checks.is_empty()
    {
        args["pending_safety_checks"] = Value::from(checks.clone());
    }
    args
}
