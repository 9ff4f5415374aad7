//! What starts an agent on a machine of the owner's own.

use api_types::ExternalAgentCredentials;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use uuid::Uuid;

use crate::extract::Path;
use crate::{Actor, ApiError, AppState};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route(
        "/workspaces/{workspace}/external-agent/{agent}/credentials",
        get(credentials),
    )
}

async fn credentials(
    State(state): State<AppState>,
    actor: Actor,
    Path((workspace, agent)): Path<(Uuid, String)>,
) -> Result<Json<ExternalAgentCredentials>, ApiError> {
    let found = state
        .control
        .external_agent_credentials(&actor.who, workspace, &agent)
        .await?;
    Ok(Json(found))
}
