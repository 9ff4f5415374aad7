//! `/workspaces`, and what leads to them by their owner.

use api_types::{
    CreateWorkspaceRequest, PostWorkspaceUsageRequest, ResolveAutostartResponse, Workspace,
    WorkspaceBuildTimings, WorkspaceQuota, WorkspacesResponse,
};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use store::{OrganizationRef, UserRef};
use uuid::Uuid;

use crate::extract::{Json, MAX_JSON_BODY, Path, read_body};
use crate::{Actor, ApiError, AppState, QueryParams};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/workspaces", get(list))
        .route("/workspaces/{workspace}", get(read))
        .route("/workspaces/{workspace}/usage", post(usage))
        .route("/workspaces/{workspace}/timings", get(timings))
        .route(
            "/workspaces/{workspace}/resolve-autostart",
            get(resolve_autostart),
        )
        .route("/users/{user}/workspaces", post(create))
        .route("/users/{user}/workspace/{workspace}", get(read_by_name))
        .route(
            "/organizations/{organization}/members/{user}/workspaces",
            post(create_in),
        )
        .route(
            "/organizations/{organization}/members/{user}/workspace-quota",
            get(quota_in),
        )
        .route("/workspace-quota/{user}", get(quota))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
) -> Answer<WorkspacesResponse> {
    let page = params.pagination();
    let query = params.text("q").to_owned();
    params.finish()?;
    let (limit, offset) = (page.limit.into(), page.offset.into());
    Ok(Json(
        state
            .control
            .workspace_list(&actor.who, &query, limit, offset)
            .await?,
    ))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    mut params: QueryParams,
) -> Answer<Workspace> {
    let deleted = params.flag("include_deleted");
    params.finish()?;
    Ok(Json(
        state
            .control
            .workspace_read(&actor.who, workspace, deleted)
            .await?,
    ))
}

async fn read_by_name(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, name)): Path<(UserRef, String)>,
    mut params: QueryParams,
) -> Answer<Workspace> {
    let deleted = params.flag("include_deleted");
    params.finish()?;
    let owner = state.control.workspace_owner(&actor.who, &user).await?;
    let found = state
        .control
        .workspace_read_by_name(&actor.who, owner.id, &name, deleted);
    Ok(Json(found.await?))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<CreateWorkspaceRequest>,
) -> Result<(StatusCode, Json<Workspace>), ApiError> {
    let owner = state.control.workspace_owner(&actor.who, &user).await?;
    let made = state
        .control
        .workspace_create(&actor.who, &owner, None, request)
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn create_in(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(OrganizationRef, UserRef)>,
    Json(request): Json<CreateWorkspaceRequest>,
) -> Result<(StatusCode, Json<Workspace>), ApiError> {
    let owner = state.control.workspace_owner(&actor.who, &user).await?;
    let made = state
        .control
        .workspace_create(&actor.who, &owner, Some(&organization), request)
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn usage(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let body = read_body(body, MAX_JSON_BODY).await?;
    let request = if body.iter().all(u8::is_ascii_whitespace) {
        // Clients of old send nothing at all.
        PostWorkspaceUsageRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            ApiError::bad_request("Request body must be valid JSON.").with_detail(error.to_string())
        })?
    };
    state
        .control
        .workspace_used(&actor.who, workspace, &request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn timings(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Answer<WorkspaceBuildTimings> {
    Ok(Json(
        state
            .control
            .workspace_timings(&actor.who, workspace)
            .await?,
    ))
}

async fn resolve_autostart(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Answer<ResolveAutostartResponse> {
    Ok(Json(
        state
            .control
            .workspace_resolve_autostart(&actor.who, workspace)
            .await?,
    ))
}

async fn quota(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Answer<WorkspaceQuota> {
    let owner = state.control.workspace_owner(&actor.who, &user).await?;
    let quota = state
        .control
        .workspace_quota(&actor.who, &OrganizationRef::Default, owner.id);
    Ok(Json(quota.await?))
}

async fn quota_in(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(OrganizationRef, UserRef)>,
) -> Answer<WorkspaceQuota> {
    let owner = state.control.workspace_owner(&actor.who, &user).await?;
    Ok(Json(
        state
            .control
            .workspace_quota(&actor.who, &organization, owner.id)
            .await?,
    ))
}
