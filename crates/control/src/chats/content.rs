//! What people say, checked: parts of input as parts of messages.

use std::collections::BTreeMap;

use api_types::{
    ChatInputPart, ChatInputPartType, ChatMessagePart, ChatMessagePartType, DynamicTool,
};
use authz::Subject;
use store::Conn;
use uuid::Uuid;

use crate::{Error, Result};

/// Most parts of one message: a text and the files of a chat, several times over.
const MAX_PARTS: usize = 500;
/// Most files of one message, which is as many as a chat may have.
const MAX_FILES: usize = chat::machine::MAX_FILES as usize;
/// Longest path and name of a file in a workspace, in bytes: Linux knows no longer ones.
const MAX_PATH: usize = 4096;
/// Most tools that a client runs itself.
const MAX_TOOLS: usize = 250;
/// Limits of labels.
const MAX_LABELS: usize = 50;
const MAX_LABEL_KEY: usize = 64;
const MAX_LABEL_VALUE: usize = 256;

/// Parts of a message in a chat with this workspace, or of the first one of a chat.
pub(super) async fn content(
    conn: &Conn,
    who: &Subject,
    workspace: Option<Uuid>,
    input: &[ChatInputPart],
) -> Result<Vec<ChatMessagePart>> {
    if input.is_empty() {
        return Err(Error::invalid("Content is required.").with_detail("Content cannot be empty."));
    }
    let bad = |at: usize, detail: &str| {
        Error::invalid("Invalid input part.").with_detail(format!("content[{at}]: {detail}"))
    };
    if input.len() > MAX_PARTS {
        return Err(bad(
            MAX_PARTS,
            &format!("a message has {MAX_PARTS} parts at most."),
        ));
    }
    let mut parts = Vec::with_capacity(input.len());
    let mut files = 0;
    for (at, part) in input.iter().enumerate() {
        parts.push(match part.kind {
            ChatInputPartType::Text if part.text.trim().is_empty() => {
                return Err(bad(at, "text cannot be empty."));
            }
            ChatInputPartType::Text => ChatMessagePart::text(part.text.as_str()),
            ChatInputPartType::File => {
                let Some(id) = part.file_id.filter(|id| !id.is_nil()) else {
                    return Err(bad(at, "file_id is required."));
                };
                files += 1;
                if files > MAX_FILES {
                    return Err(bad(
                        at,
                        &format!("a message has {MAX_FILES} files at most."),
                    ));
                }
                let file = conn
                    .chat_file_read(who, id)
                    .await
                    .map_err(|_| bad(at, "this file does not exist."))?;
                ChatMessagePart::file(id, &file.mimetype, &file.name)
            }
            ChatInputPartType::FileReference if part.file_name.is_empty() => {
                return Err(bad(at, "file_name cannot be empty for file-reference."));
            }
            ChatInputPartType::FileReference => ChatMessagePart {
                kind: ChatMessagePartType::FileReference,
                file_name: Some(part.file_name.clone()),
                start_line: Some(part.start_line),
                end_line: Some(part.end_line),
                content: Some(part.content.clone()),
                ..ChatMessagePart::default()
            },
            ChatInputPartType::WorkspaceFileReference => {
                workspace_file(part, workspace).map_err(|detail| bad(at, detail))?
            }
            ref other => {
                return Err(bad(
                    at,
                    &format!(
                        "type must be text, file, file-reference or workspace-file-reference, not \
                         {other:?}."
                    ),
                ));
            }
        });
    }
    Ok(parts)
}

/// A file that lies in the chat's workspace.
fn workspace_file(
    part: &ChatInputPart,
    workspace: Option<Uuid>,
) -> std::result::Result<ChatMessagePart, &'static str> {
    let path = &part.workspace_file_path;
    if !path.starts_with('/') || path.len() > MAX_PATH || path.contains(char::is_control) {
        return Err("workspace_file_path must be an absolute path.");
    }
    if part.workspace_file_name.is_empty() || part.workspace_file_name.len() > MAX_PATH {
        return Err("workspace_file_name is required.");
    }
    if part.workspace_file_size < 0 || part.workspace_file_media_type.len() > MAX_PATH {
        return Err("workspace_file_size or workspace_file_media_type makes no sense.");
    }
    if workspace.is_none() || part.workspace_file_workspace_id != workspace {
        return Err("the file must lie in the workspace of this chat, which is sent one first.");
    }
    Ok(ChatMessagePart {
        kind: ChatMessagePartType::WorkspaceFileReference,
        workspace_file_path: path.clone(),
        workspace_file_name: part.workspace_file_name.clone(),
        workspace_file_size: part.workspace_file_size,
        workspace_file_media_type: part.workspace_file_media_type.clone(),
        workspace_file_workspace_id: workspace,
        ..ChatMessagePart::default()
    })
}

/// Labels, checked.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> Result<()> {
    let bad = |detail: String| Err(Error::invalid("Invalid labels.").with_detail(detail));
    if labels.len() > MAX_LABELS {
        return bad(format!("A chat has {MAX_LABELS} labels at most."));
    }
    for (key, value) in labels {
        let starts = key.starts_with(|c: char| c.is_ascii_alphanumeric());
        let made_of = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
        if key.len() > MAX_LABEL_KEY || !starts || !key.chars().all(made_of) {
            return bad(format!(
                "Key {key:?} must begin with a letter or digit, hold letters, digits and ._/- \
                 only, and have {MAX_LABEL_KEY} bytes at most."
            ));
        }
        if value.is_empty() || value.len() > MAX_LABEL_VALUE {
            return bad(format!(
                "The value of {key:?} must have 1 to {MAX_LABEL_VALUE} bytes."
            ));
        }
    }
    Ok(())
}

/// Tools that a client runs itself, checked.
pub(super) fn dynamic_tools(tools: &[DynamicTool]) -> Result<()> {
    if tools.len() > MAX_TOOLS {
        return Err(Error::invalid("Too many dynamic tools.")
            .with_detail(format!("A chat has {MAX_TOOLS} at most.")));
    }
    let mut names = std::collections::HashSet::new();
    for tool in tools {
        if tool.name.trim().is_empty() {
            return Err(Error::invalid("Dynamic tool name cannot be empty."));
        }
        if !names.insert(tool.name.as_str()) {
            return Err(Error::invalid(format!(
                "Dynamic tool name {:?} is given twice.",
                tool.name
            )));
        }
    }
    Ok(())
}

/// A level of reasoning, checked.
pub(super) fn effort(effort: Option<&str>) -> Result<Option<String>> {
    let Some(effort) = effort.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if chat::models::is_effort(effort) {
        return Ok(Some(effort.to_owned()));
    }
    Err(
        Error::invalid("Invalid reasoning_effort value.").with_detail(format!(
            "{effort:?} is none of none, minimal, low, medium, high, xhigh, max."
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_checked() {
        let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert!(labels(&one("team/a.b_-".replace('_', "-").as_str(), "x")).is_ok());
        for (key, value) in [("", "x"), ("-a", "x"), ("a b", "x"), ("a", ""), ("é", "x")] {
            assert!(labels(&one(key, value)).is_err(), "{key:?}");
        }
        assert!(labels(&one("a", &"x".repeat(257))).is_err());
        let many: BTreeMap<_, _> = (0..51).map(|i| (format!("k{i}"), "v".to_owned())).collect();
        assert!(labels(&many).is_err());
    }

    #[test]
    fn efforts_and_tools_are_checked() {
        assert_eq!(effort(Some("")).unwrap(), None);
        assert!(effort(Some("xhigh")).is_ok() && effort(Some("huge")).is_err());
        let tool = |name: &str| DynamicTool {
            name: name.to_owned(),
            ..DynamicTool::default()
        };
        assert!(dynamic_tools(&[tool("a"), tool("b")]).is_ok());
        assert!(dynamic_tools(&[tool("a"), tool("a")]).is_err());
        assert!(dynamic_tools(&[tool(" ")]).is_err());
    }
}
