//! `/chats/{chat}/debug/runs` (experimental): what models were asked and answered.

use api_types::{ChatDebugRun, ChatDebugRunSummary};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use uuid::Uuid;

use super::Answer;
use crate::extract::Json;
use crate::extract::Path;
use crate::{Actor, AppState};

/// What stands below `/api/experimental` alone.
pub fn experimental() -> Router<AppState> {
    Router::new()
        .route("/chats/{chat}/debug/runs", get(list))
        .route("/chats/{chat}/debug/runs/{run}", get(read))
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<Vec<ChatDebugRunSummary>> {
    Ok(Json(state.control.chat_debug_runs(&actor.who, chat).await?))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path((chat, run)): Path<(Uuid, Uuid)>,
) -> Answer<ChatDebugRun> {
    let run = state.control.chat_debug_run(&actor.who, chat, run).await?;
    Ok(Json(run))
}
