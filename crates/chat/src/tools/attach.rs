//! `attach_file`: a file of the workspace, for the user to see and keep.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::args::Args;
use super::{Tool, ToolAnswer, ToolContext};
use crate::files::{self, MAX_FILE};

/// Longest name, in bytes.
const MAX_NAME: usize = 255;

/// Attaches a file.
pub struct AttachFile;

impl Tool for AttachFile {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(
            "attach_file",
            "Show the user a file of the workspace, such as a picture or a report: text, Markdown, \
             CSV, JSON, PDF, PNG, JPEG, GIF or WebP, at most 10 MiB.",
            json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "Absolute path of the file." },
                    "name": { "type": "string", "description": "What to call it. Default: as it is called." },
                },
                "required": ["path"],
            }),
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            let attached = attach(context, &Args(args)).await;
            attached.map_or_else(ToolAnswer::error, ToolAnswer::ok)
        })
    }
}

async fn attach(context: &ToolContext, args: &Args) -> Result<Value, String> {
    let path = args.text("path")?;
    let name = match args.maybe("name")? {
        Some(name) => base_name(name),
        None => base_name(path),
    };
    if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        return Err(format!("name must have 1 to {MAX_NAME} bytes"));
    }
    let api = context.workspace.connect().await?;
    let body = api.read_file(path, 0, MAX_FILE as u64 + 1).await;
    let data = body.map_err(|error| error.to_string())?;
    let data = data.bytes(MAX_FILE + 1).await;
    let data = data.map_err(|error| error.to_string())?;
    if data.is_empty() {
        return Err(format!("{path} is empty"));
    }
    if data.len() > MAX_FILE {
        return Err(format!(
            "{path} has more than {} MiB and cannot be attached",
            MAX_FILE >> 20
        ));
    }
    let media = files::media_type("", name, &data)?;
    let id = files::keep(
        &context.machine,
        &context.who,
        &context.chat,
        name,
        media,
        &data,
    );
    let id = id.await.map_err(|error| error.to_string())?;
    Ok(json!({
        "ok": true,
        "path": path,
        "file_id": id,
        "name": name,
        "media_type": media,
        "size": data.len(),
    }))
}

/// The last part of a path, of either system.
fn base_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\'])
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_comes_last() {
        for (path, name) in [
            ("/a/b.png", "b.png"),
            ("C:\\x\\y.md", "y.md"),
            ("b/", "b"),
            ("/", ""),
            ("", ""),
        ] {
            assert_eq!(base_name(path), name);
        }
    }
}
