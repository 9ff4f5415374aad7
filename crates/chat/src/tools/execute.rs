//! `execute` and what belongs to it: commands in the workspace, and looking after those that go
//! on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use api_types::{ProcessOutputResponse, StartProcessRequest};
use client::agent_api::AgentApi;
use serde_json::{Value, json};

use super::ToolContext;
use super::args::Args;
use super::shape::{Done, Failed, Simple};

/// How long a command is waited for when the model does not say.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that is waited at once: what the agent waits for itself.
const MAX_PATIENCE: Duration = Duration::from_mins(5);

/// Nobody can answer questions of these programs.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CODER_CHAT_AGENT", "true"),
    ("EDITOR", "true"),
    ("GIT_EDITOR", "true"),
    ("GIT_PAGER", "cat"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("NO_COLOR", "1"),
    ("PAGER", "cat"),
    ("TERM", "dumb"),
    ("VISUAL", "true"),
];

/// Runs a command.
pub(in crate::tools) fn execute_tool() -> Simple {
    Simple::new(
        "execute",
        "Run a shell command in the workspace and wait for its end. A command that takes \
             longer than timeout goes on in the background; look at it with process_output.",
        json!({
            "type": "object",
            "properties": {
                "command": { "type": "string", "description": "The command, for a shell." },
                "model_intent": { "type": "string", "description": "What it is for, in a few words, for the user." },
                "timeout": { "type": "string", "description": "How long to wait, such as 30s or 2m. Default 10s." },
                "workdir": { "type": "string", "description": "Where to run it. Default: the agent's directory." },
                "run_in_background": { "type": "boolean", "description": "Do not wait: for servers and watchers." },
            },
            "required": ["command"],
        }),
        |context, args| Box::pin(execute(context, args)),
    )
}

async fn execute(context: &ToolContext, args: Args) -> Done {
    let (command, trailing) = without_ampersand(args.text("command")?);
    let background = args.flag("run_in_background")? || trailing;
    let patience = args.duration("timeout", PATIENCE, MAX_PATIENCE)?;
    let request = StartProcessRequest {
        command: command.to_owned(),
        workdir: args.maybe("workdir")?.unwrap_or_default().to_owned(),
        env: ENVIRONMENT
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        background,
    };
    let api = context.workspace.connect().await?;
    let began = Instant::now();
    let process = api.start_process(&request).await?;
    if background {
        return Ok(json!({ "success": true, "background_process_id": process.id }));
    }
    let mut value = waited(&api, &process.id, patience).await?;
    value["wall_duration_ms"] = Value::from(began.elapsed().as_millis() as u64);
    Ok(value)
}

/// What a process came to within a time; if it goes on, how to find it again.
async fn waited(api: &AgentApi, id: &str, patience: Duration) -> Result<Value, Failed> {
    let ended = async { api.process_output(id, true).await };
    let output = match tokio::time::timeout(patience, ended).await {
        Ok(output) => output,
        Err(_) => api.process_output(id, false).await,
    };
    let output = output?;
    let mut value = shown(&output);
    if output.running {
        value["background_process_id"] = Value::from(id);
        value["note"] = Value::from(format!(
            "The command was still running after {} s and goes on in the background. Look at it \
             with process_output, or end it with process_signal.",
            patience.as_secs()
        ));
    }
    Ok(value)
}

fn shown(output: &ProcessOutputResponse) -> Value {
    let mut value = json!({ "success": !output.running && output.exit_code == Some(0) });
    if !output.output.is_empty() {
        value["output"] = Value::from(output.output.as_str());
    }
    if let Some(code) = output.exit_code {
        value["exit_code"] = Value::from(code);
    }
    if let Some(cut) = &output.truncated {
        value["truncated"] = json!(cut);
    }
    value
}

/// A command without the sign that would send it into the background by itself.
fn without_ampersand(command: &str) -> (&str, bool) {
    let trimmed = command.trim_end();
    match trimmed.strip_suffix('&') {
        Some(rest) if !rest.ends_with(['&', '>', '|', '\\']) && !rest.trim().is_empty() => {
            (rest.trim_end(), true)
        }
        _ => (command, false),
    }
}

/// Looks at a process.
pub(in crate::tools) fn process_output() -> Simple {
    Simple::new(
            "process_output",
            "Look at the output of a process that execute started, waiting for its end for a while.",
            json!({
                "type": "object",
                "properties": {
                    "process_id": { "type": "string" },
                    "wait_timeout": { "type": "string", "description": "How long to wait for its end, such as 30s; 0s looks at once. Default 10s." },
                },
                "required": ["process_id"],
            }),
        |context, args| Box::pin(look(context, args)),
    ).repeatable()
}

async fn look(context: &ToolContext, args: Args) -> Done {
    let id = args.text("process_id")?;
    let patience = args.duration("wait_timeout", PATIENCE, MAX_PATIENCE)?;
    let api = context.workspace.connect().await?;
    waited(&api, id, patience).await
}

/// Lists processes.
pub(in crate::tools) fn process_list() -> Simple {
    Simple::new(
        "process_list",
        "List the processes that execute started in the workspace.",
        json!({ "type": "object", "properties": {} }),
        |context, args| Box::pin(list(context, args)),
    )
    .repeatable()
}

async fn list(context: &ToolContext, _: Args) -> Done {
    let api = context.workspace.connect().await?;
    let list = api.list_processes().await?;
    Ok(json!({ "processes": list.processes }))
}

/// Ends a process.
pub(in crate::tools) fn process_signal() -> Simple {
    Simple::new(
        "process_signal",
        "End a process that execute started: terminate asks it to, kill does not ask.",
        json!({
            "type": "object",
            "properties": {
                "process_id": { "type": "string" },
                "signal": { "type": "string", "enum": ["terminate", "kill"] },
            },
            "required": ["process_id", "signal"],
        }),
        |context, args| Box::pin(signal(context, args)),
    )
}

async fn signal(context: &ToolContext, args: Args) -> Done {
    let (id, signal) = (args.text("process_id")?, args.text("signal")?);
    if !["terminate", "kill"].contains(&signal) {
        return Err(Failed(format!(
            "signal must be terminate or kill, not {signal:?}"
        )));
    }
    let api = context.workspace.connect().await?;
    api.signal_process(id, signal).await?;
    Ok(json!({ "success": true, "message": format!("{signal} was sent to {id}") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trailing_ampersand_means_background() {
        assert_eq!(without_ampersand("serve & "), ("serve", true));
        for kept in ["a && b", "a &&", "a 2>&1", "echo \\&", "&", "a & b"] {
            assert_eq!(without_ampersand(kept), (kept, false), "{kept}");
        }
    }

    #[test]
    fn empty_output_is_left_out_and_failure_is_no_success() {
        let mut output = ProcessOutputResponse {
            exit_code: Some(0),
            ..ProcessOutputResponse::default()
        };
        assert_eq!(shown(&output), json!({ "success": true, "exit_code": 0 }));
        output.exit_code = Some(2);
        assert_eq!(shown(&output)["success"], false);
    }
}
