//! `/templateversions` and what leads to versions by names.

use api_types::{
    CreateTemplateVersionRequest, DynamicParametersRequest, DynamicParametersResponse,
    PatchTemplateVersionRequest, Preset, Response as Message, TemplateVersion,
    TemplateVersionExternalAuth, TemplateVersionParameter, TemplateVersionVariable,
    WorkspaceResource,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch, post};
use store::OrganizationRef;
use uuid::Uuid;

use super::job_logs;
use super::templates::message;
use crate::extract::{Json, Path};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState, QueryParams};

/// The routes.
pub fn router() -> Router<AppState> {
    let by_names = "/organizations/{organization}/templates/{template}/versions/{version}";
    Router::new()
        .route(
            "/organizations/{organization}/templateversions",
            post(create),
        )
        .route(by_names, get(read_by_names))
        .route(&format!("{by_names}/previous"), get(previous))
        .route("/templateversions/{version}", get(read).patch(update))
        .route("/templateversions/{version}/cancel", patch(cancel))
        .route("/templateversions/{version}/archive", post(archive))
        .route("/templateversions/{version}/unarchive", post(unarchive))
        .route("/templateversions/{version}/logs", get(logs))
        .route("/templateversions/{version}/resources", get(resources))
        .route(
            "/templateversions/{version}/rich-parameters",
            get(rich_parameters),
        )
        .route("/templateversions/{version}/variables", get(variables))
        .route("/templateversions/{version}/presets", get(presets))
        .route(
            "/templateversions/{version}/external-auth",
            get(external_auth),
        )
        .route(
            "/templateversions/{version}/dynamic-parameters/evaluate",
            post(evaluate),
        )
        .route("/templateversions/{version}/parameters", get(nothing))
        .route("/templateversions/{version}/schema", get(nothing))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    Json(request): Json<CreateTemplateVersionRequest>,
) -> Result<(StatusCode, Json<TemplateVersion>), ApiError> {
    let version = state
        .control
        .template_version_create(&actor.who, &organization, request)
        .await?;
    Ok((StatusCode::CREATED, Json(version)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<TemplateVersion> {
    Ok(Json(
        state
            .control
            .template_version_read(&actor.who, version)
            .await?,
    ))
}

async fn read_by_names(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, template, name)): Path<(OrganizationRef, String, String)>,
) -> Answer<TemplateVersion> {
    let version =
        state
            .control
            .template_version_read_by_names(&actor.who, &organization, &template, &name);
    Ok(Json(version.await?))
}

async fn previous(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, template, name)): Path<(OrganizationRef, String, String)>,
) -> Result<Response, ApiError> {
    let version =
        state
            .control
            .template_version_read_previous(&actor.who, &organization, &template, &name);
    Ok(match version.await? {
        Some(version) => Json(version).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
    Json(request): Json<PatchTemplateVersionRequest>,
) -> Answer<TemplateVersion> {
    Ok(Json(
        state
            .control
            .template_version_update(&actor.who, version, request)
            .await?,
    ))
}

async fn cancel(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<Message> {
    state
        .control
        .template_version_cancel(&actor.who, version)
        .await?;
    Ok(message("Job has been marked as canceled..."))
}

async fn archive(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<String> {
    state
        .control
        .template_version_archive(&actor.who, version, true)
        .await?;
    Ok(Json(format!("template version \"{version}\" archived")))
}

async fn unarchive(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<String> {
    state
        .control
        .template_version_archive(&actor.who, version, false)
        .await?;
    Ok(Json(format!("template version \"{version}\" unarchived")))
}

async fn logs(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let wanted = job_logs::Wanted::read(params)?;
    let job = state
        .control
        .template_version_job(&actor.who, version)
        .await?;
    job_logs::answer(&state, job, wanted, socket).await
}

async fn resources(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<Vec<WorkspaceResource>> {
    Ok(Json(
        state
            .control
            .template_version_resources(&actor.who, version)
            .await?,
    ))
}

async fn rich_parameters(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<Vec<TemplateVersionParameter>> {
    Ok(Json(
        state
            .control
            .template_version_parameters(&actor.who, version)
            .await?,
    ))
}

async fn variables(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<Vec<TemplateVersionVariable>> {
    Ok(Json(
        state
            .control
            .template_version_variables(&actor.who, version)
            .await?,
    ))
}

async fn presets(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<Vec<Preset>> {
    Ok(Json(
        state
            .control
            .template_version_presets(&actor.who, version)
            .await?,
    ))
}

async fn external_auth(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<Vec<TemplateVersionExternalAuth>> {
    Ok(Json(
        state
            .control
            .template_version_external_auth(&actor.who, version)
            .await?,
    ))
}

async fn evaluate(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
    Json(request): Json<DynamicParametersRequest>,
) -> Answer<DynamicParametersResponse> {
    Ok(Json(
        state
            .control
            .template_version_evaluate(&actor.who, version, request)
            .await?,
    ))
}

/// Parameters of the oldest kind, which no template has any more: clients still ask.
async fn nothing(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
) -> Answer<[u8; 0]> {
    state
        .control
        .template_version_read(&actor.who, version)
        .await?;
    Ok(Json([]))
}
