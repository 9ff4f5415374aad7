//! `coder_workspace_bash`: a command in a workspace.

use std::time::Duration;

use anyhow::Result;
use api_types::StartProcessRequest;
use serde_json::{Value, json};

use crate::args::Args;
use crate::workspaces::WORKSPACE;
use crate::{Deps, Kind, Offer};

/// How long a command may take when nothing else is said…
const USUAL: u64 = 60_000;
/// …and at most, in milliseconds.
const LONGEST: u64 = 300_000;
/// What shells answer for a command that took too long.
const TOOK_TOO_LONG: i32 = 124;

pub(crate) const OFFERS: &[Offer] = &[Offer {
    name: "coder_workspace_bash",
    description: "Run a command by a shell in a workspace and get what it wrote, in stdout and \
                  stderr, and its exit code. A stopped workspace is started. After the timeout (60 \
                  seconds, at most 5 minutes) the command is ended with the exit code 124, and what \
                  it wrote until then is given. With background it goes on, and what it has written \
                  so far is given.",
    kind: Kind::Destroys,
    arguments: &[
        WORKSPACE,
        ("command*", "string", "The command."),
        (
            "timeout_ms",
            "integer",
            "Milliseconds it may take; 60000 if absent.",
        ),
        (
            "background",
            "boolean",
            "Whether it goes on after the timeout.",
        ),
    ],
    run: |deps, args| Box::pin(bash(deps, args)),
}];

async fn bash(deps: &Deps, args: Args) -> Result<Value> {
    let background = args.flag("background")?;
    let timeout = args.number("timeout_ms")?.filter(|ms| *ms > 0);
    let timeout = Duration::from_millis(timeout.unwrap_or(USUAL).min(LONGEST));
    let command = args.text("command")?.to_owned();
    let api = deps.inside(args.text("workspace")?, true).await?;
    let request = StartProcessRequest {
        command,
        background,
        ..StartProcessRequest::default()
    };
    let id = api.start_process(&request).await?.id;
    let ended = tokio::time::timeout(timeout, api.process_output(&id, true)).await;
    let done = match ended {
        Ok(done) => done?,
        Err(_) => {
            let so_far = api.process_output(&id, false).await?;
            if background {
                let note = format!(
                    "{}\n\nThe command goes on in the background as process {id}.",
                    so_far.output
                );
                return Ok(json!({ "output": note, "exit_code": 0 }));
            }
            api.signal_process(&id, "kill").await?;
            let note = format!(
                "{}\n\nThe command took too long and was ended.",
                so_far.output
            );
            return Ok(json!({ "output": note.trim(), "exit_code": TOOK_TOO_LONG }));
        }
    };
    Ok(json!({ "output": done.output.trim(), "exit_code": done.exit_code.unwrap_or(0) }))
}
