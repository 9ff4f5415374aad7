//! `/templateversions/{v}/dry-run`.

use api_types::{
    CreateTemplateVersionDryRunRequest, MatchedProvisioners, ProvisionerJob, Response as Message,
    WorkspaceResource,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch, post};
use uuid::Uuid;

use super::job_logs;
use super::templates::message;
use crate::extract::{Json, Path};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState, QueryParams};

/// The routes.
pub fn router() -> Router<AppState> {
    let one = "/templateversions/{version}/dry-run/{job}";
    Router::new()
        .route("/templateversions/{version}/dry-run", post(create))
        .route(one, get(read))
        .route(&format!("{one}/cancel"), patch(cancel))
        .route(&format!("{one}/logs"), get(logs))
        .route(&format!("{one}/resources"), get(resources))
        .route(&format!("{one}/matched-provisioners"), get(matched))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
    Json(request): Json<CreateTemplateVersionDryRunRequest>,
) -> Result<(StatusCode, Json<ProvisionerJob>), ApiError> {
    let job = state
        .control
        .template_version_dry_run_create(&actor.who, version, request)
        .await?;
    Ok((StatusCode::CREATED, Json(job)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path((version, job)): Path<(Uuid, Uuid)>,
) -> Answer<ProvisionerJob> {
    Ok(Json(
        state
            .control
            .template_version_dry_run_read(&actor.who, version, job)
            .await?
            .job,
    ))
}

async fn cancel(
    State(state): State<AppState>,
    actor: Actor,
    Path((version, job)): Path<(Uuid, Uuid)>,
) -> Answer<Message> {
    state
        .control
        .template_version_dry_run_cancel(&actor.who, version, job)
        .await?;
    Ok(message("Job has been marked as canceled."))
}

async fn logs(
    State(state): State<AppState>,
    actor: Actor,
    Path((version, job)): Path<(Uuid, Uuid)>,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let wanted = job_logs::Wanted::read(params)?;
    state
        .control
        .template_version_dry_run_read(&actor.who, version, job)
        .await?;
    job_logs::answer(&state, job, wanted, socket).await
}

async fn resources(
    State(state): State<AppState>,
    actor: Actor,
    Path((version, job)): Path<(Uuid, Uuid)>,
) -> Answer<Vec<WorkspaceResource>> {
    Ok(Json(
        state
            .control
            .template_version_dry_run_resources(&actor.who, version, job)
            .await?,
    ))
}

async fn matched(
    State(state): State<AppState>,
    actor: Actor,
    Path((version, job)): Path<(Uuid, Uuid)>,
) -> Answer<MatchedProvisioners> {
    Ok(Json(
        state
            .control
            .template_version_dry_run_matched(&actor.who, version, job)
            .await?,
    ))
}
