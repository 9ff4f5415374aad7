//! `coder_workspace_bash`: a command in a workspace.

use std::time::Duration;

use anyhow::Result;
use api_types::{ProcessOutputResponse, StartProcessRequest};
use client::agent_api::AgentApi;
use http::StatusCode;
use serde_json::{Value, json};

use crate::args::Args;
use crate::workspaces::WORKSPACE;
use crate::{Deps, Kind, Offer};

/// How long a command may take when nothing else is said…
const USUAL: u64 = 60_000;
/// …and at most, in milliseconds.
const LONGEST: u64 = 300_000;
/// An agent ends a wait of its own accord after some minutes; then it is asked again, not at once.
const AGAIN: Duration = Duration::from_millis(100);
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
    ran(&api, &request, timeout).await
}

async fn ran(api: &AgentApi, request: &StartProcessRequest, timeout: Duration) -> Result<Value> {
    let id = api.start_process(request).await?.id;
    let ended = tokio::time::timeout(timeout, until_end(api, &id)).await;
    let done = match ended {
        Ok(done) => done?,
        Err(_) if request.background => {
            let so_far = api.process_output(&id, false).await?;
            let note = format!(
                "{}\n\nThe command goes on in the background as process {id}.",
                so_far.output
            );
            return Ok(json!({ "output": note, "exit_code": 0 }));
        }
        Err(_) => {
            let so_far = api.process_output(&id, false).await?;
            match api.signal_process(&id, "kill").await {
                // It came to its end by itself meanwhile.
                Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
                    api.process_output(&id, false).await?
                }
                killed => {
                    killed?;
                    let note = format!(
                        "{}\n\nThe command took too long and was ended.",
                        so_far.output
                    );
                    return Ok(json!({ "output": note.trim(), "exit_code": TOOK_TOO_LONG }));
                }
            }
        }
    };
    Ok(json!({ "output": done.output.trim(), "exit_code": done.exit_code.unwrap_or(0) }))
}

/// What a process wrote until its end.
async fn until_end(api: &AgentApi, id: &str) -> Result<ProcessOutputResponse> {
    loop {
        let output = api.process_output(id, true).await?;
        if !output.running {
            return Ok(output);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const ENDED: &str = r#"{"output":"done\n","running":false,"exit_code":3}"#;

    /// An agent whose process ends just before it is to be ended. Whoever waits for that waits for ever,
    /// or is told at first that it still runs, and then that it has ended.
    async fn agent(mut stream: DuplexStream, waits: Option<Arc<AtomicBool>>) {
        let mut head = Vec::new();
        while !head.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split(' ').nth(1).unwrap();
        let (status, body) = match target {
            "/api/v0/processes/start" => ("200 OK", r#"{"id":"p","started":true}"#),
            "/api/v0/processes/p/output?wait=true" => match waits {
                None => return std::future::pending().await,
                Some(asked) if !asked.swap(true, Ordering::Relaxed) => {
                    ("200 OK", r#"{"output":"so far\n","running":true}"#)
                }
                Some(_) => ("200 OK", ENDED),
            },
            "/api/v0/processes/p/output" => ("200 OK", ENDED),
            _ => (
                "409 Conflict",
                r#"{"message":"Process \"p\" is not running."}"#,
            ),
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        // Until the other side has read it.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }

    fn api(waits: Option<Arc<AtomicBool>>) -> AgentApi {
        AgentApi::new(move || {
            let waits = waits.clone();
            async {
                let (here, there) = duplex(64 << 10);
                tokio::spawn(agent(there, waits));
                Ok::<_, std::io::Error>(here)
            }
        })
    }

    #[tokio::test]
    async fn a_command_that_ends_at_the_last_moment_is_no_failure() {
        let request = StartProcessRequest::default();
        let said = ran(&api(None), &request, Duration::from_millis(10)).await;
        assert_eq!(said.unwrap(), json!({ "output": "done", "exit_code": 3 }));
    }

    #[tokio::test]
    async fn a_command_that_outlives_a_wait_of_the_agent_has_not_succeeded() {
        let request = StartProcessRequest::default();
        let waits = Some(Arc::default());
        let said = ran(&api(waits), &request, Duration::from_mins(1)).await;
        assert_eq!(said.unwrap(), json!({ "output": "done", "exit_code": 3 }));
    }
}
