//! A chat's workspace: its repositories as they change, and files sent to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use api_types::{
    ChatWorkspaceFile, WorkspaceAgentGitClientMessage, WorkspaceAgentGitClientMessageType,
    WorkspaceAgentGitServerMessage,
};
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::ws::{Message, Utf8Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use chat::sent_files::{self, SendError};
use client::agent_api::{AgentApi, GitWatch, PORT};
use futures::{SinkExt as _, Stream, StreamExt as _};
use uuid::Uuid;

use super::files::{file_name, text};
use super::viewer::{Place, relay};
use crate::agent_conn::AgentConn;
use crate::extract::{Json, Path};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState};

/// How long reaching the agent may take.
const DIAL: Duration = Duration::from_secs(30);
/// Largest file that is sent, in bytes: as much as a browser uploads with patience.
const MAX_FILE: u64 = 512 << 20;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/chats/{chat}/stream/git", get(git))
        .route("/chats/{chat}/workspace-files", post(file_create))
}

/// The API of an agent that the caller may use for a chat.
pub(super) fn api(conn: AgentConn, chat: &api_types::Chat) -> AgentApi {
    let ancestors: Vec<Uuid> = chat.parent_chat_id.into_iter().collect();
    AgentApi::new(move || {
        let conn = conn.clone();
        async move { conn.dial_tcp(PORT).await }
    })
    .for_chat(chat.id, &ancestors)
}

pub(super) fn unreachable(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "The chat's workspace cannot be reached.",
    )
    .with_detail(error.to_string())
}

async fn git(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let (chat, agent) = state.control.chat_agent(&actor.who, chat).await?;
    let socket = socket?;
    let api = api(state.tailnet.acquire(agent), &chat);
    // Before the upgrade, so that a refusal is an answer like any other.
    let watch = tokio::time::timeout(DIAL, api.watch_git(chat.id))
        .await
        .map_err(|_| unreachable(format!("it did not answer within {} s", DIAL.as_secs())))?
        .map_err(unreachable)?;
    Ok(socket.bytes(move |socket| relay(socket, watch)))
}

impl Place for GitWatch {
    const GONE: &'static str = "the agent left";
    const WHAT: &'static str = "watching the workspace";

    async fn next(&mut self) -> Option<Result<Message, client::Error>> {
        let news = GitWatch::next(self).await?;
        Some(news.map(|news| Message::Text(told(&news))))
    }

    async fn hear(&mut self, said: Message) -> bool {
        match said {
            Message::Text(text) => !wants_refresh(&text) || self.refresh().await.is_ok(),
            _ => false,
        }
    }
}

fn told(news: &WorkspaceAgentGitServerMessage) -> Utf8Bytes {
    // A message of ours always becomes JSON.
    serde_json::to_string(news).unwrap_or_default().into()
}

/// What else a client says is for later versions.
fn wants_refresh(text: &str) -> bool {
    let asked = serde_json::from_str::<WorkspaceAgentGitClientMessage>(text);
    asked.is_ok_and(|asked| asked.r#type == WorkspaceAgentGitClientMessageType::Refresh)
}

async fn file_create(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    request: Request,
) -> Result<Json<ChatWorkspaceFile>, ApiError> {
    let headers = request.headers();
    let name = file_name(&text(headers, header::CONTENT_DISPOSITION));
    let media_type = text(headers, header::CONTENT_TYPE);
    let (chat, agent) = state.control.chat_file_agent(&actor.who, chat).await?;
    let api = api(state.tailnet.acquire(agent), &chat);
    let body = request.into_body();
    // Many say it beforehand.
    if body.size_hint().lower() > MAX_FILE {
        return Err(too_large());
    }
    let exceeds = Arc::new(AtomicBool::new(false));
    let body = counted(body, MAX_FILE, exceeds.clone());
    let sent = sent_files::send(&api, chat.id, &name, body).await;
    let (path, size) = sent.map_err(|error| match error {
        SendError::Name(detail) => ApiError::bad_request("Invalid filename.").with_detail(detail),
        SendError::Agent(_) if exceeds.load(Relaxed) => too_large(),
        SendError::Agent(error) => refused(error),
    })?;
    Ok(Json(ChatWorkspaceFile {
        path,
        name,
        size,
        media_type,
        workspace_id: chat.workspace_id.unwrap_or_default(),
    }))
}

fn too_large() -> ApiError {
    let text = format!("The file has more than {} MiB.", MAX_FILE >> 20);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// What the agent said of a file, or that it said nothing.
fn refused(error: client::Error) -> ApiError {
    let Some(said) = error.api() else {
        return unreachable(error);
    };
    let status = match said.status {
        // Who asks is known here: the agent's doubts are about us.
        StatusCode::UNAUTHORIZED => StatusCode::BAD_GATEWAY,
        status if status.is_client_error() => status,
        _ => StatusCode::BAD_GATEWAY,
    };
    let reason = if said.detail.is_empty() {
        said.to_string()
    } else {
        format!("{said}: {}", said.detail)
    };
    ApiError::new(status, "The workspace did not take the file.").with_detail(reason)
}

/// The bytes of a body, up to `most`; notes if there are more.
fn counted(
    body: Body,
    most: u64,
    exceeds: Arc<AtomicBool>,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
    // The agent takes them at its own pace: what comes faster waits here.
    let (mut parts, taken) = futures::channel::mpsc::channel(4);
    tokio::spawn(async move {
        let mut body = body.into_data_stream();
        let mut total = 0;
        while let Some(part) = body.next().await {
            let part = part.map_err(std::io::Error::other).and_then(|part| {
                total += part.len() as u64;
                if total > most {
                    exceeds.store(true, Relaxed);
                    return Err(std::io::Error::other("the file is too large"));
                }
                Ok(part)
            });
            let ends = part.is_err();
            if parts.send(part).await.is_err() || ends {
                return;
            }
        }
    });
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_large_is_known_for_that() {
        for (most, fits) in [(4, true), (3, false)] {
            let exceeds = Arc::new(AtomicBool::new(false));
            let parts = counted(Body::from("abcd"), most, exceeds.clone());
            let parts: Vec<_> = parts.collect().await;
            assert_eq!(parts.iter().all(Result::is_ok), fits);
            assert_eq!(exceeds.load(Relaxed), !fits);
        }
    }

    #[test]
    fn only_refresh_is_understood() {
        assert!(wants_refresh(r#"{"type":"refresh"}"#));
        for other in ["", "refresh", "{}", r#"{"type":"reset"}"#, "[]"] {
            assert!(!wants_refresh(other), "{other}");
        }
    }
}
