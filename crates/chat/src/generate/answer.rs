//! An answer as it arrives: what viewers see at once, and what becomes history.

use std::collections::HashMap;
use std::sync::Arc;

use api_types::{ChatMessagePart, ChatMessagePartType};
use chrono::Utc;
use llm::{Event, FinishReason, Metadata, ToolCall, ToolOutput, ToolResult, Usage};
use serde_json::Value;
use uuid::Uuid;

use crate::tools::Tool;

/// Most that one answer may hold, in bytes: some hundred times what models write; an endless
/// stream must not fill memory and rows.
pub const MAX_ANSWER: usize = 8 << 20;

/// An answer that failed and is larger than [`HUGE`] is kept only in so many bytes of its texts:
/// enough to see what went wrong, and not so much that the model could never read the chat again.
const KEPT: usize = 64 << 10;
/// No model means to write so much at once.
const HUGE: usize = 1 << 20;
/// Stands where the rest was.
const CUT: &str = "\n\n[… the rest of this answer was too large to keep]";

/// An answer under way.
#[derive(Debug, Default)]
pub struct Answer {
    done: Vec<ChatMessagePart>,
    text: Option<ChatMessagePart>,
    reasoning: Option<ChatMessagePart>,
    /// Calls whose arguments still come: id, name.
    open: Vec<(String, String)>,
    bytes: usize,
    /// MCP servers by the names of their tools.
    servers: HashMap<String, Uuid>,
    /// Tokens used, as far as known.
    pub usage: Usage,
    /// Why it ended.
    pub finish: Option<FinishReason>,
}

/// It is larger than [`MAX_ANSWER`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

impl Answer {
    /// One whose calls say to which MCP server they go.
    pub fn with_servers(tools: &[Arc<dyn Tool>]) -> Self {
        let servers = tools.iter();
        let servers = servers.filter_map(|tool| Some((tool.mcp_server()?, tool.spec().name)));
        Answer {
            servers: servers.map(|(server, name)| (name, server)).collect(),
            ..Answer::default()
        }
    }

    /// Takes an event; what viewers are to see of it.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn take(&mut self, event: Event) -> Result<Option<ChatMessagePart>, TooLarge> {
        let shown = match event {
            Event::TextDelta { text } => {
                self.count(text.len())?;
                extend(&mut self.text, ChatMessagePart::text(""), &text);
                Some(ChatMessagePart::text(text))
            }
            Event::TextEnd { metadata } => {
                self.end_text(metadata);
                None
            }
            Event::ReasoningDelta { text } => {
                self.count(text.len())?;
                let mut shown = ChatMessagePart::reasoning(text.as_str());
                if self.reasoning.is_none() {
                    shown.created_at = Some(Utc::now());
                }
                let mut first = ChatMessagePart::reasoning("");
                first.created_at = shown.created_at;
                extend(&mut self.reasoning, first, &text);
                Some(shown)
            }
            Event::ReasoningEnd { metadata } => {
                self.end_reasoning(metadata);
                None
            }
            Event::ToolCallStart { id, name } => {
                let mut part = ChatMessagePart {
                    kind: ChatMessagePartType::ToolCall,
                    tool_call_id: id.clone(),
                    tool_name: name.clone(),
                    ..ChatMessagePart::default()
                };
                part.mcp_server_config_id = self.servers.get(&name).copied();
                part.created_at = Some(Utc::now());
                self.open.push((id, name));
                Some(part)
            }
            Event::ToolCallArgsDelta { id, delta } => {
                self.count(delta.len())?;
                let name = self.open.iter().find(|(open, _)| *open == id);
                let name = name.map(|(_, name)| name.clone()).unwrap_or_default();
                Some(ChatMessagePart {
                    kind: ChatMessagePartType::ToolCall,
                    mcp_server_config_id: self.servers.get(&name).copied(),
                    tool_name: name,
                    tool_call_id: id,
                    args_delta: delta,
                    ..ChatMessagePart::default()
                })
            }
            Event::ToolCallEnd(call) | Event::ProviderToolCall(call) => {
                self.open.retain(|(id, _)| *id != call.id);
                self.end_text(Metadata::default());
                self.end_reasoning(Metadata::default());
                self.count(call.args.len())?;
                let mut part = call_part(call);
                part.mcp_server_config_id = self.servers.get(&part.tool_name).copied();
                self.done.push(part.clone());
                Some(part)
            }
            Event::ProviderToolResult(result) => {
                let part = provider_result(result);
                self.count(part.result.as_ref().map_or(0, |r| r.to_string().len()))?;
                self.done.push(part.clone());
                Some(part)
            }
            Event::Source(source) => {
                self.count(source.url.len() + source.title.len())?;
                let part = ChatMessagePart {
                    kind: ChatMessagePartType::Source,
                    source_id: source.id,
                    url: Some(source.url),
                    title: source.title,
                    ..ChatMessagePart::default()
                };
                self.done.push(part.clone());
                Some(part)
            }
            Event::Usage(usage) => {
                self.usage = usage;
                None
            }
            Event::Finish { reason, .. } => {
                self.finish = Some(reason);
                None
            }
        };
        Ok(shown)
    }

    /// All of it; open texts are closed as they stand, and calls whose arguments never ended
    /// are left out.
    pub fn into_parts(mut self) -> Vec<ChatMessagePart> {
        self.end_reasoning(Metadata::default());
        self.end_text(Metadata::default());
        self.done
    }

    /// What is kept of an answer that failed.
    pub fn into_partial(self) -> Vec<ChatMessagePart> {
        let huge = self.bytes > HUGE;
        let parts = self.into_parts();
        if huge { head(parts) } else { parts }
    }

    fn count(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.bytes += bytes;
        if self.bytes > MAX_ANSWER {
            Err(TooLarge)
        } else {
            Ok(())
        }
    }

    fn end_text(&mut self, metadata: Metadata) {
        if let Some(mut part) = self.text.take() {
            part.provider_metadata = keep(&metadata);
            self.done.push(part);
        }
    }

    fn end_reasoning(&mut self, metadata: Metadata) {
        let metadata = keep(&metadata);
        let part = match self.reasoning.take() {
            Some(part) => part,
            // Reasoning that is not shown still has to be given back.
            None if metadata.is_some() => ChatMessagePart::reasoning(""),
            None => return,
        };
        self.done.push(ChatMessagePart {
            provider_metadata: metadata,
            completed_at: Some(Utc::now()),
            ..part
        });
    }
}

/// The first texts of an answer, up to [`KEPT`].
fn head(parts: Vec<ChatMessagePart>) -> Vec<ChatMessagePart> {
    let mut left = KEPT;
    let mut out = Vec::new();
    for mut part in parts {
        let Some(text) = part.text.as_mut() else {
            continue;
        };
        // What a provider signed is no longer what it signed.
        part.provider_metadata = None;
        if text.len() > left {
            text.truncate(text.floor_char_boundary(left));
            out.push(part);
            break;
        }
        left -= text.len();
        out.push(part);
    }
    out.push(ChatMessagePart::text(CUT));
    out
}

fn extend(open: &mut Option<ChatMessagePart>, first: ChatMessagePart, text: &str) {
    let part = open.get_or_insert(first);
    part.text.get_or_insert_default().push_str(text);
}

/// Metadata as it is stored with a part.
pub(crate) fn keep(metadata: &Metadata) -> Option<Value> {
    if metadata.is_empty() {
        None
    } else {
        serde_json::to_value(metadata).ok()
    }
}

/// A call as a part; arguments that are no JSON stay text.
fn call_part(call: ToolCall) -> ChatMessagePart {
    let args = match call.parsed() {
        Ok(map) => Value::Object(map),
        Err(_) => Value::String(call.args),
    };
    let mut part = ChatMessagePart::tool_call(&call.id, &call.name, args);
    if call.name == "execute" {
        part.parsed_commands = super::commands::parsed(&part);
    }
    part.provider_executed = call.provider_executed;
    part.provider_metadata = keep(&call.metadata);
    part.created_at = Some(Utc::now());
    part
}

fn provider_result(result: ToolResult) -> ChatMessagePart {
    let value = match result.output {
        ToolOutput::Text(text) => crate::tools::text_value(&text),
        ToolOutput::Media { text, .. } => crate::tools::text_value(&text),
        ToolOutput::Provider(value) => value,
    };
    let mut part =
        ChatMessagePart::tool_result(&result.call_id, &result.name, value, result.is_error);
    part.provider_executed = true;
    part.provider_metadata = keep(&result.metadata);
    part.created_at = Some(Utc::now());
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str, args: &str) -> ToolCall {
        ToolCall {
            id: id.to_owned(),
            name: "execute".to_owned(),
            args: args.to_owned(),
            provider_executed: false,
            metadata: Metadata::default(),
        }
    }

    #[test]
    fn an_interrupted_answer_keeps_what_was_said_and_drops_half_a_call() {
        let mut answer = Answer::default();
        for event in [
            Event::ReasoningDelta { text: "hm".into() },
            Event::ReasoningEnd {
                metadata: Metadata::of("x", Value::from("sig")),
            },
            Event::TextDelta { text: "a".into() },
            Event::TextDelta { text: "b".into() },
            Event::ToolCallStart {
                id: "1".into(),
                name: "execute".into(),
            },
            Event::ToolCallArgsDelta {
                id: "1".into(),
                delta: "{\"com".into(),
            },
        ] {
            answer.take(event).unwrap();
        }
        let parts = answer.into_parts();
        assert_eq!(parts.len(), 2);
        assert!(parts[0].provider_metadata.is_some() && parts[0].completed_at.is_some());
        assert_eq!(parts[1].text.as_deref(), Some("ab"));
    }

    #[test]
    fn arguments_that_are_no_json_are_kept_as_written() {
        let mut answer = Answer::default();
        answer.take(Event::ToolCallEnd(call("1", "{bad"))).unwrap();
        answer
            .take(Event::ToolCallEnd(call("2", "{\"command\":\"ls -l\"}")))
            .unwrap();
        let parts = answer.into_parts();
        assert_eq!(parts[0].args, Some(Value::from("{bad")));
        assert_eq!(parts[1].parsed_commands, [["ls", "-l"]]);
    }

    #[test]
    fn of_a_huge_answer_that_failed_the_beginning_is_kept() {
        let mut answer = Answer::default();
        answer.take(Event::ToolCallEnd(call("1", "{}"))).unwrap();
        let text = "é".repeat(100_000);
        while answer.take(Event::TextDelta { text: text.clone() }).is_ok() {}
        let parts = answer.into_partial();
        let size: usize = parts
            .iter()
            .filter_map(|p| p.text.as_ref())
            .map(String::len)
            .sum();
        assert!(size < KEPT + 200 && size > KEPT - 4, "{size}");
        assert_eq!(parts.last().unwrap().text.as_deref(), Some(CUT));
        assert!(parts.iter().all(|p| p.tool_call_id.is_empty()));
        let mut small = Answer::default();
        small.take(Event::TextDelta { text: "a".into() }).unwrap();
        small.take(Event::ToolCallEnd(call("1", "{}"))).unwrap();
        assert_eq!(small.into_partial().len(), 2);
    }

    #[test]
    fn an_endless_answer_is_cut_off() {
        let mut answer = Answer::default();
        let text = "x".repeat(1 << 20);
        let taken = (0..100)
            .take_while(|_| answer.take(Event::TextDelta { text: text.clone() }).is_ok())
            .count();
        assert_eq!(taken, MAX_ANSWER >> 20);
    }
}
