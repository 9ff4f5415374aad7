//! `attach_file`: a file of the workspace, for the user to see and keep.

use serde_json::json;
use uuid::Uuid;

use super::ToolContext;
use super::args::Args;
use super::files::whole;
use super::shape::{Done, Failed, Simple};
use crate::files::{self, MAX_FILE};

/// Longest name, in bytes.
const MAX_NAME: usize = 255;

/// Attaches a file.
pub(in crate::tools) fn attach_file() -> Simple {
    Simple::new(
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
        |context, args| Box::pin(attach(context, args)),
    ).repeatable()
}

async fn attach(context: &ToolContext, args: Args) -> Done {
    let path = args.text("path")?;
    let name = match args.maybe("name")? {
        Some(name) => base_name(name),
        None => base_name(path),
    };
    if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        return Err(Failed(format!("name must have 1 to {MAX_NAME} bytes")));
    }
    let api = context.workspace.connect().await?;
    let data = whole(&api, path, MAX_FILE).await?;
    if data.is_empty() {
        return Err(Failed(format!("{path} is empty")));
    }
    let (id, media) = kept(context, "", name, &data).await?;
    Ok(json!({
        "ok": true,
        "path": path,
        "file_id": id,
        "name": name,
        "media_type": media,
        "size": data.len(),
    }))
}

/// Keeps what was read of the workspace as a file of the chat, if it is of a type that can be shown; its
/// id and type.
pub(super) async fn kept(
    context: &ToolContext,
    declared: &str,
    name: &str,
    data: &[u8],
) -> Result<(Uuid, &'static str), Failed> {
    let media = files::media_type(declared, name, data)?;
    let (machine, who, chat) = (&context.machine, &context.who, &context.chat);
    let id = files::keep(machine, who, chat, name, media, data).await;
    Ok((id.map_err(|error| error.to_string())?, media))
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
