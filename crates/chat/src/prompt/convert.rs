//! The history as a model reads it.

use std::collections::HashMap;

use api_types::{ChatMessagePart, ChatMessagePartType, ChatMessageRole};
use bytes::Bytes;
use llm::{FileData, MediaPart, Message, Metadata, Part, Role, ToolCall, ToolOutput, ToolResult};
use serde_json::Value;
use store::chats::ChatMessageRow;
use uuid::Uuid;

use super::Instruction;
use crate::history;

/// Text files up to this size are put into the prompt as text.
const MAX_INLINE_TEXT: usize = 128 << 10;

/// An uploaded file.
#[derive(Debug, Clone)]
pub struct LoadedFile {
    /// What it is called.
    pub name: String,
    /// Its type.
    pub media_type: String,
    /// Its bytes.
    pub data: Bytes,
}

/// Files by id.
pub type Files = HashMap<Uuid, LoadedFile>;

/// Ids of the files that messages use.
pub fn files_of(messages: &[ChatMessageRow]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = messages
        .iter()
        .filter(|m| m.role == ChatMessageRole::User)
        .flat_map(|m| &m.content)
        .filter_map(|part| part.file_id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The instructions that a chat began with; the name of their part says whose they are.
pub(crate) fn first(messages: &[ChatMessageRow]) -> Vec<Instruction> {
    let system = messages.iter().filter(|row| {
        row.role == ChatMessageRole::System
            && !row.deleted
            && !row.compressed
            && row.visibility.for_model()
    });
    system
        .map(|row| {
            let named = row.content.iter().map(|part| part.name.as_str());
            // Chats of before do not say.
            let source = named.into_iter().find(|name| !name.is_empty());
            Instruction::new(source.unwrap_or("chat"), history::text_of(&row.content))
        })
        .collect()
}

/// The conversation behind the instructions.
pub fn convert(messages: &[ChatMessageRow], files: &Files) -> Vec<Message> {
    let mut rest = Vec::new();
    // The newest summary stands for all before it.
    let from = messages
        .iter()
        .rposition(|m| m.compressed && m.visibility == store::chats::Visibility::Model)
        .unwrap_or(0);
    for (at, row) in messages.iter().enumerate() {
        if row.deleted || !row.visibility.for_model() {
            continue;
        }
        if row.role == ChatMessageRole::System {
            continue;
        }
        if at < from || (row.compressed && row.visibility != store::chats::Visibility::Model) {
            continue;
        }
        if let Some(message) = message(row, files) {
            rest.push(message);
        }
    }
    answer_all(&mut rest);
    rest
}

fn message(row: &ChatMessageRow, files: &Files) -> Option<Message> {
    let (role, parts): (Role, Vec<Part>) = match row.role {
        ChatMessageRole::User => (
            Role::User,
            row.content
                .iter()
                .filter_map(|p| user_part(p, files))
                .collect(),
        ),
        ChatMessageRole::Assistant => (
            Role::Assistant,
            row.content.iter().filter_map(assistant_part).collect(),
        ),
        ChatMessageRole::Tool => (
            Role::Tool,
            row.content.iter().filter_map(tool_part).collect(),
        ),
        _ => return None,
    };
    (!parts.is_empty()).then_some(Message { role, parts })
}

fn user_part(part: &ChatMessagePart, files: &Files) -> Option<Part> {
    match part.kind {
        ChatMessagePartType::Text => text(part),
        ChatMessagePartType::FileReference => {
            let name = part.file_name.as_deref().unwrap_or_default();
            let (start, end) = (part.start_line.unwrap_or(0), part.end_line.unwrap_or(0));
            let content = part.content.as_deref().unwrap_or_default();
            Some(Part::text(format!(
                "[file reference: {name}, lines {start}-{end}]\n```\n{content}\n```"
            )))
        }
        ChatMessagePartType::WorkspaceFileReference => Some(Part::text(format!(
            "[file in the workspace: {}, {} bytes, {}]",
            part.workspace_file_path,
            part.workspace_file_size,
            match part.workspace_file_media_type.as_str() {
                "" => "type unknown",
                known => known,
            }
        ))),
        ChatMessagePartType::File => {
            let Some(file) = part.file_id.and_then(|id| files.get(&id)) else {
                return Some(Part::text(format!(
                    "[The attached file {:?} is no longer available.]",
                    part.name
                )));
            };
            Some(file_part(file))
        }
        _ => None,
    }
}

fn file_part(file: &LoadedFile) -> Part {
    let is_text = file.media_type.starts_with("text/") || file.media_type == "application/json";
    if is_text && file.data.len() <= MAX_INLINE_TEXT {
        return Part::text(format!(
            "[attached file: {}]\n```\n{}\n```",
            file.name,
            String::from_utf8_lossy(&file.data)
        ));
    }
    Part::Media(MediaPart {
        media_type: file.media_type.clone(),
        name: Some(file.name.clone()).filter(|name| !name.is_empty()),
        data: FileData::new(file.data.clone()),
    })
}

fn text(part: &ChatMessagePart) -> Option<Part> {
    let text = part.text.clone().unwrap_or_default();
    let metadata = metadata(part);
    // A text without a letter says nothing, and some providers refuse it.
    (!text.trim().is_empty() || !metadata.is_empty()).then_some(Part::Text { text, metadata })
}

fn assistant_part(part: &ChatMessagePart) -> Option<Part> {
    match part.kind {
        ChatMessagePartType::Text => text(part),
        ChatMessagePartType::Reasoning => {
            let text = part.text.clone().unwrap_or_default();
            let metadata = metadata(part);
            (!text.is_empty() || !metadata.is_empty()).then_some(Part::Reasoning { text, metadata })
        }
        ChatMessagePartType::ToolCall => Some(Part::ToolCall(ToolCall {
            id: part.tool_call_id.clone(),
            name: part.tool_name.clone(),
            args: match &part.args {
                Some(Value::String(text)) => text.clone(),
                Some(args) => args.to_string(),
                None => String::new(),
            },
            provider_executed: part.provider_executed,
            metadata: metadata(part),
        })),
        ChatMessagePartType::ToolResult => tool_part(part),
        _ => None,
    }
}

fn tool_part(part: &ChatMessagePart) -> Option<Part> {
    if part.kind != ChatMessagePartType::ToolResult {
        return None;
    }
    let value = part.result.clone().unwrap_or_default();
    let output = if part.provider_executed {
        ToolOutput::Provider(value)
    } else if part.is_media {
        media_output(&value)
    } else {
        ToolOutput::Text(match value {
            Value::String(text) => text,
            other => other.to_string(),
        })
    };
    Some(Part::ToolResult(ToolResult {
        call_id: part.tool_call_id.clone(),
        name: part.tool_name.clone(),
        output,
        is_error: part.is_error,
        provider_executed: part.provider_executed,
        metadata: metadata(part),
    }))
}

fn media_output(value: &Value) -> ToolOutput {
    use base64::Engine as _;
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    match base64::engine::general_purpose::STANDARD.decode(field("data")) {
        Ok(data) if !data.is_empty() => ToolOutput::Media {
            text: field("text").to_owned(),
            media: MediaPart {
                media_type: field("mime_type").to_owned(),
                name: None,
                data: FileData::new(data),
            },
        },
        _ => ToolOutput::Text(field("text").to_owned()),
    }
}

fn metadata(part: &ChatMessagePart) -> Metadata {
    part.provider_metadata
        .clone()
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default()
}

/// Providers refuse calls without answers: what was never answered is said to be so.
fn answer_all(messages: &mut Vec<Message>) {
    let mut at = 0;
    while at < messages.len() {
        let calls: Vec<(String, String)> = messages[at]
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::ToolCall(call) if !call.provider_executed => {
                    Some((call.id.clone(), call.name.clone()))
                }
                _ => None,
            })
            .collect();
        at += 1;
        if calls.is_empty() {
            continue;
        }
        // Answers follow at once, possibly in several rows.
        let end = messages[at..]
            .iter()
            .position(|m| m.role != Role::Tool)
            .map_or(messages.len(), |n| at + n);
        let answered = |id: &str| {
            messages[at..end].iter().any(|m| {
                m.parts
                    .iter()
                    .any(|p| matches!(p, Part::ToolResult(r) if r.call_id == id))
            })
        };
        let missing: Vec<Part> = calls
            .iter()
            .filter(|(id, _)| !answered(id))
            .map(|(id, name)| {
                Part::ToolResult(ToolResult {
                    call_id: id.clone(),
                    name: name.clone(),
                    output: ToolOutput::Text("The tool call was not completed.".to_owned()),
                    is_error: true,
                    provider_executed: false,
                    metadata: Metadata::default(),
                })
            })
            .collect();
        let mut parts: Vec<Part> = messages.drain(at..end).flat_map(|m| m.parts).collect();
        parts.extend(missing);
        messages.insert(
            at,
            Message {
                role: Role::Tool,
                parts,
            },
        );
        at += 1;
    }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
pub(super) mod tests;
