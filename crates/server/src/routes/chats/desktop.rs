//! Desktops of chats' workspaces (experimental): watching one, and whose models may use them.

use std::time::Duration;

use api_types::ChatComputerUseProviderConfig;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use client::agent_api::DesktopView;
use uuid::Uuid;

use super::Answer;
use super::workspace::{api, unreachable};
use crate::extract::{Json, Path};
use crate::socket::{PING_EVERY, Socket, WRITE_TIMEOUT};
use crate::ws::{close_frame, code};
use crate::{Actor, ApiError, AppState};

/// How long reaching the agent and starting a screen may take.
const DIAL: Duration = Duration::from_secs(30);

/// What stands below `/api/experimental` alone.
pub(super) fn experimental() -> Router<AppState> {
    Router::new()
        .route(
            "/chats/config/computer-use-provider",
            get(provider).put(provider_set),
        )
        .route("/chats/{chat}/stream/desktop", get(desktop))
}

async fn provider(
    State(state): State<AppState>,
    actor: Actor,
) -> Answer<ChatComputerUseProviderConfig> {
    Ok(Json(
        state.control.chat_computer_use_read(&actor.who).await?,
    ))
}

async fn provider_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<ChatComputerUseProviderConfig>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .chat_computer_use_set(&actor.who, &request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn desktop(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let (chat, agent) = state.control.chat_agent(&actor.who, chat).await?;
    let socket = socket?;
    let api = api(state.tailnet.acquire(agent), &chat);
    // Before the upgrade, so that a refusal is an answer like any other.
    let view = tokio::time::timeout(DIAL, api.desktop())
        .await
        .map_err(|_| unreachable(format!("it did not answer within {} s", DIAL.as_secs())))?
        .map_err(unreachable)?;
    Ok(socket.bytes(move |socket| relay(socket, view)))
}

/// Passes bytes both ways until either side is gone.
async fn relay(mut socket: WebSocket, mut view: DesktopView) {
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    let mut answered = true;
    loop {
        let message = tokio::select! {
            shown = view.next() => match shown {
                Some(Ok(bytes)) => Message::Binary(bytes),
                Some(Err(error)) => {
                    let reason = format!("watching the desktop broke off: {error}");
                    Message::Close(Some(close_frame(code::INTERNAL, &reason)))
                }
                None => Message::Close(Some(close_frame(code::GOING_AWAY, "the desktop is gone"))),
            },
            _ = ping.tick() => {
                if !answered {
                    return;
                }
                answered = false;
                Message::Ping(Bytes::new())
            }
            acted = socket.recv() => match acted {
                Some(Ok(Message::Binary(bytes))) => {
                    answered = true;
                    let sent = tokio::time::timeout(WRITE_TIMEOUT, view.send(bytes)).await;
                    if !matches!(sent, Ok(Ok(()))) {
                        return;
                    }
                    continue;
                }
                Some(Ok(Message::Pong(_))) => {
                    answered = true;
                    continue;
                }
                Some(Ok(Message::Ping(_) | Message::Text(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        };
        let last = matches!(message, Message::Close(_));
        let sent = tokio::time::timeout(WRITE_TIMEOUT, socket.send(message)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}
