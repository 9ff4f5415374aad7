//! `/chats/config/advisor` (experimental): how often the model may ask for a second opinion, and
//! whom.

use api_types::AdvisorConfig;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Answer;
use crate::extract::Json;
use crate::{Actor, ApiError, AppState};

/// What stands below `/api/experimental` alone.
pub(super) fn experimental() -> Router<AppState> {
    Router::new().route("/chats/config/advisor", get(read).put(set))
}

async fn read(State(state): State<AppState>, actor: Actor) -> Answer<AdvisorConfig> {
    Ok(Json(state.control.chat_advisor_read(&actor.who).await?))
}

async fn set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<AdvisorConfig>,
) -> Result<StatusCode, ApiError> {
    state.control.chat_advisor_set(&actor.who, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
