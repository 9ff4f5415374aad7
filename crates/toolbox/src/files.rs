//! Tools for files and ports of a workspace.

use anyhow::{Context, Result, bail};
use api_types::{FileEdit, FileEditRequest, FileEdits, LsRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::args::Args;
use crate::find;
use crate::workspaces::WORKSPACE;
use crate::{Argument, Deps, Kind, Offer};

/// Bytes that are read at once.
const MAX_READ: u64 = 1 << 20;

/// The file that a tool is for.
const FILE: Argument = ("path*", "string", "Absolute path of the file.");

pub(crate) const OFFERS: &[Offer] = &[
    Offer {
        name: "coder_workspace_ls",
        description: "List a directory of a workspace.",
        kind: Kind::Reads,
        arguments: &[
            ("path*", "string", "Absolute path of the directory."),
            WORKSPACE,
        ],
        run: |deps, args| Box::pin(ls(deps, args)),
    },
    Offer {
        name: "coder_workspace_read_file",
        description: "Read a file of a workspace, at most 1 MiB at once. The content is base64.",
        kind: Kind::Reads,
        arguments: &[
            FILE,
            WORKSPACE,
            (
                "offset",
                "integer",
                "Where to begin, in bytes; 0 if absent.",
            ),
            (
                "limit",
                "integer",
                "How many bytes; at most, and if absent, 1 MiB.",
            ),
        ],
        run: |deps, args| Box::pin(read(deps, args)),
    },
    Offer {
        name: "coder_workspace_write_file",
        description: "Write a file in a workspace; one that is there is replaced.",
        kind: Kind::Destroys,
        arguments: &[
            FILE,
            WORKSPACE,
            ("content*", "string", "The content, as base64."),
        ],
        run: |deps, args| Box::pin(write(deps, args)),
    },
    Offer {
        name: "coder_workspace_edit_file",
        description: "Edit a file in a workspace by search and replacement.",
        kind: Kind::Destroys,
        arguments: &[
            FILE,
            WORKSPACE,
            ("edits*", "[edits]", "The edits, in order."),
        ],
        run: |deps, args| Box::pin(edit(deps, args)),
    },
    Offer {
        name: "coder_workspace_edit_files",
        description: "Edit files in a workspace by search and replacement: all of them, or none.",
        kind: Kind::Destroys,
        arguments: &[
            WORKSPACE,
            ("files*", "[files]", "The files and their edits."),
        ],
        run: |deps, args| Box::pin(edit_many(deps, args)),
    },
    Offer {
        name: "coder_workspace_port_forward",
        description: "Get the address at which a port of a workspace is reached by the browser.",
        kind: Kind::Reads,
        arguments: &[WORKSPACE, ("port*", "number", "The port.")],
        run: |deps, args| Box::pin(port(deps, args)),
    },
];

async fn ls(deps: &Deps, args: Args) -> Result<Value> {
    let path = args.text("path")?;
    let api = deps.inside(args.text("workspace")?, false).await?;
    let listed = api.list_directory(path, &LsRequest::default()).await?;
    let contents = listed.contents.iter();
    let contents =
        contents.map(|entry| json!({ "path": entry.absolute_path_string, "is_dir": entry.is_dir }));
    Ok(json!({ "contents": contents.collect::<Vec<_>>() }))
}

async fn read(deps: &Deps, args: Args) -> Result<Value> {
    let offset = args.number("offset")?.unwrap_or(0);
    let limit = args.number("limit")?.filter(|n| *n > 0).unwrap_or(MAX_READ);
    if limit > MAX_READ {
        bail!("limit must be at most {MAX_READ}");
    }
    let path = args.text("path")?;
    let api = deps.inside(args.text("workspace")?, false).await?;
    let body = api.read_file(path, offset, limit).await?;
    let media_type = body.media_type().to_owned();
    let bytes = body
        .bytes(usize::try_from(limit).unwrap_or(usize::MAX))
        .await?;
    Ok(json!({ "content": STANDARD.encode(bytes), "mimeType": media_type }))
}

async fn write(deps: &Deps, args: Args) -> Result<Value> {
    let content = args.maybe("content")?.unwrap_or_default();
    let content = STANDARD.decode(content).context("content must be base64")?;
    let path = args.text("path")?;
    let api = deps.inside(args.text("workspace")?, false).await?;
    let body = futures::stream::iter([Ok(content.into())]);
    api.write_file(path, body).await?;
    Ok(json!({ "message": "File written successfully." }))
}

async fn edit(deps: &Deps, args: Args) -> Result<Value> {
    let edits: Vec<FileEdit> = args.shaped("edits")?;
    let files = vec![FileEdits {
        path: args.text("path")?.to_owned(),
        edits,
    }];
    apply(deps, &args, files).await
}

async fn edit_many(deps: &Deps, args: Args) -> Result<Value> {
    let files: Vec<FileEdits> = args.shaped("files")?;
    apply(deps, &args, files).await
}

async fn apply(deps: &Deps, args: &Args, files: Vec<FileEdits>) -> Result<Value> {
    if files.is_empty() || files.iter().any(|file| file.edits.is_empty()) {
        bail!("there must be at least one edit of each file");
    }
    let api = deps.inside(args.text("workspace")?, false).await?;
    let request = FileEditRequest {
        files,
        include_diff: true,
    };
    let edited = api.edit_files(&request).await?;
    Ok(json!({ "message": "File(s) edited successfully.", "files": edited.files }))
}

async fn port(deps: &Deps, args: Args) -> Result<Value> {
    let port = args.number("port")?.context("port is missing")?;
    if port == 0 || port > u64::from(u16::MAX) {
        bail!("port must be between 1 and 65535");
    }
    let client = deps.client();
    let host = client
        .call(http::Method::GET, "/api/v2/applications/host")
        .decode::<Value>()
        .await?;
    let host = host["host"].as_str().unwrap_or_default();
    if host.is_empty() {
        bail!("the deployment has no host for apps: an administrator sets --wildcard-access-url");
    }
    let workspace = find::workspace(deps.client(), args.text("workspace")?).await?;
    let agent = find::agent(&workspace, None)?;
    let name = format!(
        "{port}--{}--{}--{}",
        agent.name, workspace.name, workspace.owner_name
    );
    let scheme = client.url().scheme();
    Ok(json!({ "url": format!("{scheme}://{}", host.replacen('*', &name, 1)) }))
}
