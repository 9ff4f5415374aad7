//! What owners set of their workspaces: `/workspaces/{w}/…`.

use api_types::{
    PutExtendWorkspaceRequest, Response as Message, UpdateWorkspaceAutomaticUpdatesRequest,
    UpdateWorkspaceAutostartRequest, UpdateWorkspaceDormancy, UpdateWorkspaceRequest,
    UpdateWorkspaceTtlRequest,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{patch, put};
use uuid::Uuid;

use super::templates::message;
use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/workspaces/{workspace}", patch(rename))
        .route("/workspaces/{workspace}/autostart", put(autostart))
        .route("/workspaces/{workspace}/ttl", put(ttl))
        .route("/workspaces/{workspace}/extend", put(extend))
        .route("/workspaces/{workspace}/dormant", put(dormant))
        .route("/workspaces/{workspace}/autoupdates", put(autoupdates))
        .route(
            "/workspaces/{workspace}/favorite",
            put(favorite).delete(unfavorite),
        )
}

type Done = Result<StatusCode, ApiError>;

async fn rename(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<UpdateWorkspaceRequest>,
) -> Done {
    state
        .control
        .workspace_rename(&actor.who, workspace, &request.name)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn autostart(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<UpdateWorkspaceAutostartRequest>,
) -> Done {
    state
        .control
        .workspace_set_autostart(&actor.who, workspace, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn ttl(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<UpdateWorkspaceTtlRequest>,
) -> Done {
    state
        .control
        .workspace_set_ttl(&actor.who, workspace, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn extend(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<PutExtendWorkspaceRequest>,
) -> Result<Json<Message>, ApiError> {
    state
        .control
        .workspace_extend(&actor.who, workspace, request.deadline)
        .await?;
    Ok(message(format!(
        "Deadline updated to {}.",
        request.deadline.to_rfc3339()
    )))
}

async fn dormant(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<UpdateWorkspaceDormancy>,
) -> Result<Response, ApiError> {
    let changed = state
        .control
        .workspace_set_dormant(&actor.who, workspace, request.dormant);
    Ok(match changed.await? {
        Some(workspace) => Json(workspace).into_response(),
        None => StatusCode::NOT_MODIFIED.into_response(),
    })
}

async fn autoupdates(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<UpdateWorkspaceAutomaticUpdatesRequest>,
) -> Done {
    let updates = request.automatic_updates.as_str();
    state
        .control
        .workspace_set_autoupdates(&actor.who, workspace, updates)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn favorite(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Done {
    state
        .control
        .workspace_set_favorite(&actor.who, workspace, true)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unfavorite(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Done {
    state
        .control
        .workspace_set_favorite(&actor.who, workspace, false)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
