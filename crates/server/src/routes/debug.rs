//! `/debug`: how the deployment is doing.

use authz::{Action, Object, ResourceType};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::extract::{Json, QueryParams};
use crate::health::{Report, Settings, settings_read, settings_set};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState};

/// Most messages that one connection is echoed.
const MAX_ECHOES: usize = 16;

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/debug/health", get(health))
        .route("/debug/health/settings", get(settings).put(settings_put))
        .route("/debug/ws", get(echo))
}

fn may_read(actor: &Actor) -> Result<(), ApiError> {
    let object = Object::new(ResourceType::DebugInfo);
    let may = actor.who.may(Action::Read, &object);
    Ok(may.map_err(control::Error::from)?)
}

async fn health(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
) -> Result<Json<Report>, ApiError> {
    may_read(&actor)?;
    let force = params.flag("force");
    params.finish()?;
    let health = state.health.clone();
    Ok(Json(
        Box::pin(health.report(&state, &actor.who, force)).await?,
    ))
}

async fn settings(State(state): State<AppState>, actor: Actor) -> Result<Json<Settings>, ApiError> {
    may_read(&actor)?;
    Ok(Json(settings_read(&state.control).await?))
}

async fn settings_put(
    State(state): State<AppState>,
    actor: Actor,
    Json(wanted): Json<Settings>,
) -> Result<Response, ApiError> {
    let object = Object::new(ResourceType::DeploymentConfig);
    let may = actor.who.may(Action::Update, &object);
    may.map_err(control::Error::from)?;
    Ok(
        if settings_set(&state.control, &actor.who, &wanted).await? {
            Json(wanted).into_response()
        } else {
            StatusCode::NO_CONTENT.into_response()
        },
    )
}

/// Says what it hears: for finding out whether WebSockets come through.
async fn echo(socket: Result<Socket, ApiError>) -> Result<Response, ApiError> {
    Ok(socket?.bytes(|socket| async move { repeat(socket).await }))
}

async fn repeat(mut socket: WebSocket) {
    for _ in 0..MAX_ECHOES {
        let Some(Ok(message)) = socket.recv().await else {
            return;
        };
        let answer = match message {
            Message::Text(_) | Message::Binary(_) => socket.send(message).await,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        if answer.is_err() {
            return;
        }
    }
}
