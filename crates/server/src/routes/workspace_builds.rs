//! `/workspacebuilds`, and the builds of a workspace.

use api_types::{
    CreateWorkspaceBuildRequest, Response as Message, UpdateWorkspaceBuildStateRequest,
    WorkspaceBuild, WorkspaceBuildParameter, WorkspaceBuildTimings, WorkspaceResource,
};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch};
use chrono::{DateTime, Utc};
use store::UserRef;
use uuid::Uuid;

use super::job_logs;
use super::templates::message;
use crate::extract::{Json, Path, read_body};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState, QueryParams};

/// Largest body that carries a state: 64 MiB of it, as base64.
const MAX_STATE_BODY: usize = 90 << 20;

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/workspaces/{workspace}/builds", get(list).post(create))
        .route(
            "/users/{user}/workspace/{workspace}/builds/{number}",
            get(read_by_number),
        )
        .route("/workspacebuilds/{build}", get(read))
        .route("/workspacebuilds/{build}/cancel", patch(cancel))
        .route("/workspacebuilds/{build}/logs", get(logs))
        .route("/workspacebuilds/{build}/parameters", get(parameters))
        .route("/workspacebuilds/{build}/resources", get(resources))
        .route(
            "/workspacebuilds/{build}/state",
            get(read_state).put(write_state),
        )
        .route("/workspacebuilds/{build}/timings", get(timings))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    mut params: QueryParams,
) -> Answer<Vec<WorkspaceBuild>> {
    let page = params.pagination();
    let since: Option<DateTime<Utc>> = params.parse("since", "a time (RFC 3339)");
    params.finish()?;
    let page = (
        page.after_id.filter(|id| !id.is_nil()),
        page.limit.into(),
        page.offset.into(),
    );
    Ok(Json(
        state
            .control
            .workspace_build_list(&actor.who, workspace, page, since)
            .await?,
    ))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    request: Request,
) -> Result<(StatusCode, Json<WorkspaceBuild>), ApiError> {
    let request: CreateWorkspaceBuildRequest = json_with_state(request).await?;
    let build = state
        .control
        .workspace_build_create(&actor.who, workspace, request)
        .await?;
    Ok((StatusCode::CREATED, Json(build)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
) -> Answer<WorkspaceBuild> {
    Ok(Json(
        state
            .control
            .workspace_build_read(&actor.who, build)
            .await?,
    ))
}

async fn read_by_number(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, workspace, number)): Path<(UserRef, String, String)>,
) -> Answer<WorkspaceBuild> {
    let number = number.parse().map_err(|_| {
        ApiError::bad_request("Failed to parse build number as integer.")
            .with_detail(format!("{number:?} is no number of a build."))
    })?;
    let owner = state.control.workspace_owner(&actor.who, &user).await?.id;
    let build = state
        .control
        .workspace_build_read_by_number(&actor.who, owner, &workspace, number);
    Ok(Json(build.await?))
}

async fn cancel(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
    params: QueryParams,
) -> Answer<Message> {
    let expected = Some(params.text("expect_status")).filter(|s| !s.is_empty());
    state
        .control
        .workspace_build_cancel(&actor.who, build, expected)
        .await?;
    Ok(message("Job has been marked as canceled..."))
}

async fn logs(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let wanted = job_logs::Wanted::read(params)?;
    let job = state.control.workspace_build_job(&actor.who, build).await?;
    job_logs::answer(&state, job, wanted, socket).await
}

async fn parameters(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
) -> Answer<Vec<WorkspaceBuildParameter>> {
    Ok(Json(
        state
            .control
            .workspace_build_parameters(&actor.who, build)
            .await?,
    ))
}

async fn resources(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
) -> Answer<Vec<WorkspaceResource>> {
    Ok(Json(
        state
            .control
            .workspace_build_resources(&actor.who, build)
            .await?,
    ))
}

async fn read_state(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
) -> Result<Response, ApiError> {
    let mut response = state
        .control
        .workspace_build_state(&actor.who, build)
        .await?
        .into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

async fn write_state(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let request: UpdateWorkspaceBuildStateRequest = json_with_state(request).await?;
    state
        .control
        .workspace_build_set_state(&actor.who, build, &request.state)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn timings(
    State(state): State<AppState>,
    actor: Actor,
    Path(build): Path<Uuid>,
) -> Answer<WorkspaceBuildTimings> {
    Ok(Json(
        state
            .control
            .workspace_build_timings(&actor.who, build)
            .await?,
    ))
}

/// A body that may carry a Terraform state, which other bodies never are as large as.
async fn json_with_state<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let body = read_body(request.into_body(), MAX_STATE_BODY).await?;
    let mut json = serde_json::Deserializer::from_slice(&body);
    T::deserialize(&mut json).map_err(|error| {
        ApiError::bad_request("Request body must be valid JSON.").with_detail(error.to_string())
    })
}
