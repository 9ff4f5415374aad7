//! `read_file`, `write_file`, `edit_files`: files of the workspace.

use api_types::{FileEdit, FileEditRequest, FileEdits, ReadFileLinesLimits};
use bytes::Bytes;
use client::agent_api::AgentApi;
use serde_json::{Map, Value, json};

use super::ToolContext;
use super::args::Args;
use super::plan::plan_file;
use super::shape::{Done, Failed, Simple};

/// Most files of one `edit_files` call.
const MAX_FILES: usize = 100;

/// Reads lines of a file.
pub(in crate::tools) fn read_file() -> Simple {
    Simple::new(
        "read_file",
        "Read lines of a text file in the workspace. Lines are numbered from 1. At most 2000 \
             lines of 1024 bytes come at once; ask for more with offset.",
        json!({
            "type": "object",
            "properties": {
                "path": { "type": "string", "description": "Absolute path of the file." },
                "offset": { "type": "integer", "description": "First line, from 1." },
                "limit": { "type": "integer", "description": "How many lines." },
            },
            "required": ["path"],
        }),
        |context, args| Box::pin(read(context, args)),
    )
    .repeatable()
}

async fn read(context: &ToolContext, args: Args) -> Done {
    let path = args.text("path")?;
    let offset = args.number("offset")?.unwrap_or(1).max(1);
    let limit = args.number("limit")?.unwrap_or(0);
    let api = context.workspace.connect().await?;
    let lines = api
        .read_file_lines(path, offset, limit, ReadFileLinesLimits::default())
        .await?;
    if !lines.success {
        return Err(Failed(lines.error));
    }
    Ok(json!({
        "content": lines.content,
        "file_size": lines.file_size,
        "total_lines": lines.total_lines,
        "lines_read": lines.lines_read,
    }))
}

/// All of a file that has `most` bytes at most.
pub(super) async fn whole(api: &AgentApi, path: &str, most: usize) -> Result<Bytes, Failed> {
    let body = api.read_file(path, 0, most as u64 + 1).await?;
    let data = body.bytes(most + 1).await?;
    if data.len() > most {
        let most = if most >> 20 > 0 {
            format!("{} MiB", most >> 20)
        } else {
            format!("{} KiB", most >> 10)
        };
        return Err(Failed(format!("{path} has more than {most}")));
    }
    Ok(data)
}

/// Writes a file.
pub(in crate::tools) fn write_file() -> Simple {
    // The same content once more does no harm, but may undo what the user wrote meanwhile.
    Simple::new(
        "write_file",
        "Write a file in the workspace. An existing file is replaced as a whole; directories \
             are made.",
        json!({
            "type": "object",
            "properties": {
                "path": { "type": "string", "description": "Absolute path of the file." },
                "content": { "type": "string", "description": "All of its content." },
            },
            "required": ["path", "content"],
        }),
        |context, args| Box::pin(write(context, args)),
    )
}

async fn write(context: &ToolContext, args: Args) -> Done {
    let mut path = args.text("path")?.to_owned();
    let content = Bytes::from(args.any_text("content")?.to_owned());
    let api = context.workspace.connect().await?;
    if context.plans() {
        path = plan_file(&api, context.chat.id, &path).await?;
    }
    let body = futures::stream::once(std::future::ready(Ok(content)));
    api.write_file(&path, body).await?;
    Ok(json!({ "ok": true }))
}

/// Edits files by search and replacement.
pub(in crate::tools) fn edit_files() -> Simple {
    Simple::new(
        "edit_files",
        "Edit files in the workspace by search and replacement. All edits are checked before \
             any file is written. Give enough of the old text to be unique, or set replace_all.",
        json!({
            "type": "object",
            "properties": { "files": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": { "type": "string", "description": "Absolute path." },
                        "edits": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "old_text": { "type": "string" },
                                    "new_text": { "type": "string" },
                                    "replace_all": { "type": "boolean" },
                                },
                                "required": ["old_text", "new_text"],
                            },
                        },
                    },
                    "required": ["path", "edits"],
                },
            } },
            "required": ["files"],
        }),
        |context, args| Box::pin(edit(context, args)),
    )
}

async fn edit(context: &ToolContext, args: Args) -> Done {
    let mut files = edits(&args.0)?;
    let api = context.workspace.connect().await?;
    if context.plans() {
        for file in &mut files {
            file.path = plan_file(&api, context.chat.id, &file.path).await?;
        }
    }
    let done = api
        .edit_files(&FileEditRequest {
            files,
            include_diff: true,
        })
        .await?;
    Ok(json!({ "ok": true, "files": done.files }))
}

/// What is to be edited; older names of the texts are understood too.
fn edits(args: &Map<String, Value>) -> Result<Vec<FileEdits>, String> {
    let files = args.get("files").and_then(Value::as_array);
    let files = files
        .filter(|files| !files.is_empty())
        .ok_or("files is required")?;
    if files.len() > MAX_FILES {
        return Err(format!("at most {MAX_FILES} files can be edited at once"));
    }
    files
        .iter()
        .map(|file| {
            let path = file.get("path").and_then(Value::as_str).unwrap_or_default();
            if path.is_empty() {
                return Err("path is required for every file".to_owned());
            }
            let edits = file.get("edits").and_then(Value::as_array);
            let edits = edits.filter(|edits| !edits.is_empty());
            let edits = edits.ok_or_else(|| format!("edits is required for {path}"))?;
            let edits = edits.iter().map(|edit| {
                let text = |name: &str, old: &str| {
                    let value = edit.get(name).or_else(|| edit.get(old))?;
                    value.as_str().map(str::to_owned)
                };
                Ok(FileEdit {
                    search: text("old_text", "search")
                        .ok_or_else(|| format!("old_text is required for {path}"))?,
                    replace: text("new_text", "replace")
                        .ok_or_else(|| format!("new_text is required for {path}"))?,
                    replace_all: edit.get("replace_all") == Some(&Value::Bool(true)),
                })
            });
            Ok(FileEdits {
                path: path.to_owned(),
                edits: edits.collect::<Result<_, String>>()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_read_in_both_spellings_and_checked() {
        let read = |value: Value| edits(value.as_object().unwrap());
        let good = json!({ "files": [{ "path": "/a", "edits": [
            { "old_text": "x", "new_text": "" },
            { "search": "y", "replace": "z", "replace_all": true },
        ] }] });
        let files = read(good).unwrap();
        assert_eq!(files[0].edits[1].search, "y");
        assert!(files[0].edits[1].replace_all && !files[0].edits[0].replace_all);
        for bad in [
            json!({}),
            json!({ "files": [] }),
            json!({ "files": "x" }),
            json!({ "files": [{ "edits": [] }] }),
            json!({ "files": [{ "path": "/a", "edits": [{ "old_text": "x" }] }] }),
        ] {
            assert!(read(bad).is_err());
        }
    }
}
