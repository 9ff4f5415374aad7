//! `/chats/{chat}/acl`.

use api_types::{ReaderAcl, UpdateReaderAcl};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use uuid::Uuid;

use super::Answer;
use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/chats/{chat}/acl", get(read).patch(update))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<ReaderAcl> {
    Ok(Json(state.control.chat_acl_read(&actor.who, chat).await?))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    Json(request): Json<UpdateReaderAcl>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .chat_acl_update(&actor.who, chat, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
