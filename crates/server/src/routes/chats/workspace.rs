//! A chat's workspace: its repositories as they change, and files sent to it.

use std::time::Duration;

use api_types::{
    ChatWorkspaceFile, WorkspaceAgentGitClientMessage, WorkspaceAgentGitClientMessageType,
    WorkspaceAgentGitServerMessage,
};
use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
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
use crate::agent_conn::AgentConn;
use crate::extract::{Json, Path};
use crate::socket::{PING_EVERY, Socket, WRITE_TIMEOUT};
use crate::ws::{close_frame, code};
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

/// Passes news of the agent on, and wishes of the client, until either is gone.
async fn relay(mut socket: WebSocket, mut watch: GitWatch) {
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    let mut answered = true;
    loop {
        let message = tokio::select! {
            news = watch.next() => match news {
                Some(Ok(news)) => match told(&news) {
                    Some(text) => Message::Text(text),
                    None => return,
                },
                Some(Err(error)) => {
                    let reason = format!("watching the workspace broke off: {error}");
                    Message::Close(Some(close_frame(code::INTERNAL, &reason)))
                }
                None => Message::Close(Some(close_frame(code::GOING_AWAY, "the agent left"))),
            },
            _ = ping.tick() => {
                if !answered {
                    return;
                }
                answered = false;
                Message::Ping(Bytes::new())
            }
            asked = socket.recv() => match asked {
                Some(Ok(Message::Text(text))) => {
                    if wants_refresh(&text) && watch.refresh().await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Ok(Message::Pong(_))) => {
                    answered = true;
                    continue;
                }
                Some(Ok(Message::Ping(_))) => continue,
                Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
            },
        };
        let last = matches!(message, Message::Close(_));
        let sent = tokio::time::timeout(WRITE_TIMEOUT, socket.send(message)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

fn told(news: &WorkspaceAgentGitServerMessage) -> Option<Utf8Bytes> {
    serde_json::to_string(news).ok().map(Utf8Bytes::from)
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
    let sent = sent_files::send(&api, chat.id, &name, counted(request.into_body()));
    let (path, size) = sent.await.map_err(|error| match error {
        SendError::Name(detail) => ApiError::bad_request("Invalid filename.").with_detail(detail),
        SendError::Agent(error) => unreachable(error),
    })?;
    Ok(Json(ChatWorkspaceFile {
        path,
        name,
        size,
        media_type,
        workspace_id: chat.workspace_id.unwrap_or_default(),
    }))
}

/// The bytes of a body, up to [`MAX_FILE`].
fn counted(body: Body) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
    // The agent takes them at its own pace: what comes faster waits here.
    let (mut parts, taken) = futures::channel::mpsc::channel(4);
    tokio::spawn(async move {
        let mut body = body.into_data_stream();
        let mut total = 0;
        while let Some(part) = body.next().await {
            let part = part.map_err(std::io::Error::other).and_then(|part| {
                total += part.len() as u64;
                if total > MAX_FILE {
                    let text = format!("the file has more than {} MiB", MAX_FILE >> 20);
                    return Err(std::io::Error::other(text));
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

    #[test]
    fn only_refresh_is_understood() {
        assert!(wants_refresh(r#"{"type":"refresh"}"#));
        for other in ["", "refresh", "{}", r#"{"type":"reset"}"#, "[]"] {
            assert!(!wants_refresh(other), "{other}");
        }
    }
}
