//! What apps need of the API: signing in at their hosts, tokens for terminals, shares of ports.

use api_types::{
    DeleteWorkspaceAgentPortShareRequest, IssueReconnectingPtySignedTokenRequest,
    IssueReconnectingPtySignedTokenResponse, UpsertWorkspaceAgentPortShareRequest,
    WorkspaceAgentPortShare, WorkspaceAgentPortShares,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use uuid::Uuid;

use crate::apps::{sign_in, terminal};
use crate::extract::Path;
use crate::{Actor, ApiError, AppState, Json};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/applications/auth-redirect", get(sign_in::auth_redirect))
        .route(
            "/applications/reconnecting-pty-signed-token",
            post(terminal_token),
        )
        .route(
            "/workspaces/{workspace}/port-share",
            get(share_list).post(share_upsert).delete(share_delete),
        )
}

async fn terminal_token(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<IssueReconnectingPtySignedTokenRequest>,
) -> Result<Json<IssueReconnectingPtySignedTokenResponse>, ApiError> {
    let signed_token = terminal::issue(&state, &actor, request.agent_id, &request.url).await?;
    Ok(Json(IssueReconnectingPtySignedTokenResponse {
        signed_token,
    }))
}

async fn share_list(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Result<Json<WorkspaceAgentPortShares>, ApiError> {
    let shares = state.control.port_share_list(&actor.who, workspace).await?;
    Ok(Json(shares))
}

async fn share_upsert(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<UpsertWorkspaceAgentPortShareRequest>,
) -> Result<Json<WorkspaceAgentPortShare>, ApiError> {
    let share = state
        .control
        .port_share_upsert(&actor.who, workspace, request)
        .await?;
    Ok(Json(share))
}

async fn share_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<DeleteWorkspaceAgentPortShareRequest>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .port_share_delete(&actor.who, workspace, request)
        .await?;
    Ok(StatusCode::OK)
}
