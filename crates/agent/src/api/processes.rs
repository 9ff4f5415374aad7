//! Routes of processes.

use std::sync::Arc;
use std::time::Duration;

use api_types::{
    ListProcessesResponse, ProcessOutputResponse, Response, SignalProcessRequest,
    StartProcessRequest, StartProcessResponse,
};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Json;
use http::{HeaderMap, StatusCode, Uri};
use nix::sys::signal::Signal;

use super::failure::{Failure, message};
use super::{body, chat};
use crate::processes::Process;

/// How long a request may wait for the end of a process.
const WAIT: Duration = Duration::from_mins(5);
/// Processes in one list: its readers are models.
const MAX_LISTED: usize = 10;

pub async fn start(
    State(state): State<Arc<super::State>>,
    headers: HeaderMap,
    request: Body,
) -> Result<Json<StartProcessResponse>, Failure> {
    let request: StartProcessRequest = body::json(request).await?;
    if request.command.is_empty() {
        return Err(Failure::bad_request("Command is required."));
    }
    let directory = request.workdir.clone();
    let process = state
        .processes
        .start(request, chat::of(&headers))
        .map_err(|error| Failure::system("Failed to start process.").because(error))?;
    // What it has changed shows after its end.
    let chats = chat::line(&headers);
    if !chats.is_empty() {
        let (state, process) = (state.clone(), process.clone());
        tokio::spawn(async move {
            process.ended().await;
            if directory.is_empty() {
                state.chats.notify(&chats);
            } else {
                state.chats.add(&chats, &[directory]);
            }
        });
    }
    Ok(Json(StartProcessResponse {
        id: process.id().to_string(),
        started: true,
    }))
}

pub async fn list(
    State(state): State<Arc<super::State>>,
    headers: HeaderMap,
) -> Json<ListProcessesResponse> {
    let mut processes = state.processes.list(chat::of(&headers));
    processes.truncate(MAX_LISTED);
    Json(ListProcessesResponse { processes })
}

fn find(state: &super::State, headers: &HeaderMap, id: &str) -> Result<Arc<Process>, Failure> {
    let found = state.processes.get(id, chat::of(headers));
    found.ok_or_else(|| Failure::not_found(format!("Process {id:?} not found.")))
}

pub async fn output(
    State(state): State<Arc<super::State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<ProcessOutputResponse>, Failure> {
    let process = find(&state, &headers, &id)?;
    if super::query::Query::of(&uri).text("wait") == "true" {
        // What has run so far is an answer too.
        let _ = tokio::time::timeout(WAIT, process.ended()).await;
    }
    // First whether it runs: output of a process that has ended is complete.
    let info = process.info();
    let (output, truncated) = process.output();
    Ok(Json(ProcessOutputResponse {
        output,
        truncated,
        running: info.running,
        exit_code: info.exit_code,
        command: info.command,
    }))
}

pub async fn signal(
    State(state): State<Arc<super::State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Body,
) -> Result<Json<Response>, Failure> {
    let request: SignalProcessRequest = body::json(request).await?;
    let signal = match request.signal.as_str() {
        "" => return Err(Failure::bad_request("Signal is required.")),
        "kill" => Signal::SIGKILL,
        "terminate" => Signal::SIGTERM,
        other => {
            return Err(Failure::bad_request(format!(
                "Unsupported signal {other:?}. Use \"kill\" or \"terminate\"."
            )));
        }
    };
    if !find(&state, &headers, &id)?.signal(signal) {
        let text = format!("Process {id:?} is not running.");
        return Err(Failure::new(StatusCode::CONFLICT, text));
    }
    Ok(message(format!(
        "Signal {:?} sent to process {id:?}.",
        request.signal
    )))
}
