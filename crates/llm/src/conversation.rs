//! The conversation in a form that every provider accepts: calls paired with their answers, nothing
//! empty, nothing that is never sent.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::{Message, Metadata, Part, Role, ToolCall, ToolOutput, ToolResult};

/// Said for a call whose answer is missing.
const NO_RESULT: &str = "No result was recorded for this tool call.";
/// Most characters of a document that is given as text to a provider which refuses its type.
pub(crate) const MAX_INLINE_TEXT: usize = 512 << 10;

/// Messages of one speaker.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Cow<'a, Part>>,
}

/// The turns of `messages`. Answers follow their calls at once; a call without an answer gets one
/// that says so; answers without a call, and second answers, are left out.
pub(crate) fn turns(messages: &[Message]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(messages.len());
    let mut open: Vec<&ToolCall> = Vec::new();
    for message in messages {
        let parts: Vec<&Part> = message.parts.iter().filter(|part| is_sent(part)).collect();
        if message.role == Role::Tool {
            let mut answers = Vec::new();
            for part in parts {
                if let Part::ToolResult(result) = part
                    && let Some(at) = open.iter().position(|call| call.id == result.call_id)
                {
                    open.remove(at);
                    answers.push(Cow::Borrowed(part));
                }
            }
            push(&mut turns, Role::Tool, answers);
            continue;
        }
        answer(&mut turns, &mut open);
        if message.role == Role::Assistant {
            let mut seen = HashSet::new();
            open = parts
                .iter()
                .filter_map(|part| match part {
                    Part::ToolCall(call) if !call.provider_executed => Some(call),
                    _ => None,
                })
                .filter(|call| seen.insert(call.id.as_str()))
                .collect();
        }
        let parts = parts.into_iter().map(Cow::Borrowed).collect();
        push(&mut turns, message.role, parts);
    }
    answer(&mut turns, &mut open);
    turns
}

fn is_sent(part: &Part) -> bool {
    match part {
        Part::Text { text, metadata } | Part::Reasoning { text, metadata } => {
            !text.is_empty() || !metadata.is_empty()
        }
        Part::Source(_) => false,
        _ => true,
    }
}

fn push<'a>(turns: &mut Vec<Turn<'a>>, role: Role, parts: Vec<Cow<'a, Part>>) {
    if parts.is_empty() {
        return;
    }
    match turns.last_mut() {
        Some(last) if last.role == Role::Tool && role == Role::Tool => last.parts.extend(parts),
        _ => turns.push(Turn { role, parts }),
    }
}

fn answer(turns: &mut Vec<Turn<'_>>, open: &mut Vec<&ToolCall>) {
    let missing = open
        .drain(..)
        .map(|call| {
            Cow::Owned(Part::ToolResult(ToolResult {
                call_id: call.id.clone(),
                name: call.name.clone(),
                output: ToolOutput::Text(NO_RESULT.to_owned()),
                is_error: true,
                provider_executed: false,
                metadata: Metadata::default(),
            }))
        })
        .collect();
    push(turns, Role::Tool, missing);
}

/// A file as text, for providers that refuse its type: its content if it is text, else a line that
/// says what was left out.
pub(crate) fn media_as_text(media: &crate::MediaPart) -> String {
    let name = media.name.as_deref().unwrap_or("file");
    if is_text(&media.media_type)
        && let Ok(text) = std::str::from_utf8(media.data.bytes())
    {
        let cut: String = text.chars().take(MAX_INLINE_TEXT).collect();
        return format!("<file name=\"{name}\">\n{cut}\n</file>");
    }
    format!(
        "[The file {name} ({}) was left out: this model does not read such files.]",
        media.media_type
    )
}

/// Whether files of this type are text.
pub(crate) fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || matches!(
            media_type,
            "application/json" | "application/xml" | "application/yaml" | "application/x-yaml"
        )
}

/// The file as a data URL.
pub(crate) fn data_url(media: &crate::MediaPart) -> String {
    format!("data:{};base64,{}", media.media_type, base64(media))
}

/// The file's bytes in base64.
pub(crate) fn base64(media: &crate::MediaPart) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(media.data.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "t".to_owned(),
            args: String::new(),
            provider_executed: false,
            metadata: Metadata::default(),
        })
    }

    fn result(id: &str) -> Part {
        Part::ToolResult(ToolResult {
            call_id: id.to_owned(),
            name: "t".to_owned(),
            output: ToolOutput::Text("ok".to_owned()),
            is_error: false,
            provider_executed: false,
            metadata: Metadata::default(),
        })
    }

    fn message(role: Role, parts: Vec<Part>) -> Message {
        Message { role, parts }
    }

    #[test]
    fn every_call_is_answered_once() {
        let messages = [
            message(Role::Tool, vec![result("orphan")]),
            message(Role::Assistant, vec![Part::text(""), call("a"), call("b")]),
            message(Role::Tool, vec![result("b"), result("b")]),
            message(Role::User, vec![Part::text("hi")]),
            message(Role::Assistant, vec![call("c")]),
        ];
        let turns = turns(&messages);
        let shape: Vec<(Role, Vec<String>)> = turns
            .iter()
            .map(|turn| {
                let parts = turn.parts.iter().map(|part| match part.as_ref() {
                    Part::ToolCall(call) => format!("call {}", call.id),
                    Part::ToolResult(r) => format!("result {} {}", r.call_id, r.is_error),
                    Part::Text { text, .. } => text.clone(),
                    other => panic!("{other:?}"),
                });
                (turn.role, parts.collect())
            })
            .collect();
        assert_eq!(
            shape,
            vec![
                (Role::Assistant, vec!["call a".into(), "call b".into()]),
                (
                    Role::Tool,
                    vec!["result b false".into(), "result a true".into()]
                ),
                (Role::User, vec!["hi".into()]),
                (Role::Assistant, vec!["call c".into()]),
                (Role::Tool, vec!["result c true".into()]),
            ]
        );
    }
}
