//! Desktops of chats' workspaces (experimental): watching one, and whose models may use them.

use std::time::Duration;

use api_types::ChatComputerUseProviderConfig;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::Message;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use client::agent_api::DesktopView;
use uuid::Uuid;

use super::Answer;
use super::viewer::{Place, relay};
use super::workspace::{api, unreachable};
use crate::extract::{Json, Path};
use crate::socket::Socket;
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

impl Place for DesktopView {
    const GONE: &'static str = "the desktop is gone";
    const WHAT: &'static str = "watching the desktop";

    async fn next(&mut self) -> Option<Result<Message, client::Error>> {
        let shown = DesktopView::next(self).await?;
        Some(shown.map(Message::Binary))
    }

    async fn hear(&mut self, said: Message) -> bool {
        match said {
            Message::Binary(bytes) => self.send(bytes).await.is_ok(),
            // It means nothing here.
            _ => true,
        }
    }
}
