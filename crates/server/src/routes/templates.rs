//! `/templates` and `/organizations/{o}/templates`.

use api_types::{
    ArchiveTemplateVersionsRequest, ArchiveTemplateVersionsResponse, CreateTemplateRequest,
    DausResponse, Response as Message, Template, TemplateExample, TemplateVersion,
    UpdateActiveTemplateVersion, UpdateTemplateMeta,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use store::OrganizationRef;
use store::template_versions::VersionFilter;
use uuid::Uuid;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState, QueryParams};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/templates", get(list))
        .route("/templates/examples", get(examples))
        .route(
            "/templates/{template}",
            get(read).patch(update).delete(delete),
        )
        .route("/templates/{template}/daus", get(daily_active_users))
        .route(
            "/templates/{template}/versions",
            get(versions).patch(promote),
        )
        .route(
            "/templates/{template}/versions/archive",
            post(archive_unused),
        )
        .route("/templates/{template}/versions/{version}", get(version))
        .route(
            "/organizations/{organization}/templates",
            get(list_of).post(create),
        )
        .route(
            "/organizations/{organization}/templates/examples",
            get(examples_of),
        )
        .route(
            "/organizations/{organization}/templates/{template}",
            get(read_by_name),
        )
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    params: QueryParams,
) -> Answer<Vec<Template>> {
    Ok(Json(
        state
            .control
            .template_list(&actor.who, None, params.text("q"))
            .await?,
    ))
}

async fn list_of(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    params: QueryParams,
) -> Answer<Vec<Template>> {
    let list = state
        .control
        .template_list(&actor.who, Some(&organization), params.text("q"))
        .await?;
    Ok(Json(list))
}

async fn examples(State(state): State<AppState>, actor: Actor) -> Answer<Vec<TemplateExample>> {
    Ok(Json(
        state
            .control
            .template_example_list(&actor.who, None)
            .await?,
    ))
}

async fn examples_of(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
) -> Answer<Vec<TemplateExample>> {
    Ok(Json(
        state
            .control
            .template_example_list(&actor.who, Some(&organization))
            .await?,
    ))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    Json(request): Json<CreateTemplateRequest>,
) -> Result<(StatusCode, Json<Template>), ApiError> {
    let template = state
        .control
        .template_create(&actor.who, &organization, request)
        .await?;
    Ok((StatusCode::CREATED, Json(template)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
) -> Answer<Template> {
    Ok(Json(
        state.control.template_read(&actor.who, template).await?,
    ))
}

async fn read_by_name(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, name)): Path<(OrganizationRef, String)>,
) -> Answer<Template> {
    Ok(Json(
        state
            .control
            .template_read_by_name(&actor.who, &organization, &name)
            .await?,
    ))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
    Json(request): Json<UpdateTemplateMeta>,
) -> Answer<Template> {
    Ok(Json(
        state
            .control
            .template_update(&actor.who, template, request)
            .await?,
    ))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
) -> Answer<Message> {
    state.control.template_delete(&actor.who, template).await?;
    Ok(message("Template has been deleted!"))
}

async fn daily_active_users(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
    mut params: QueryParams,
) -> Answer<DausResponse> {
    let offset = params
        .parse("tz_offset", "hours from -12 to 14")
        .unwrap_or(0);
    params.finish()?;
    Ok(Json(
        state
            .control
            .template_daily_users(&actor.who, template, offset)
            .await?,
    ))
}

async fn versions(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
    mut params: QueryParams,
) -> Answer<Vec<TemplateVersion>> {
    let page = params.pagination();
    let include_archived = params.flag("include_archived");
    params.finish()?;
    let by = VersionFilter {
        include_archived,
        after_id: page.after_id.filter(|id| !id.is_nil()),
        limit: page.limit.into(),
        offset: page.offset.into(),
    };
    Ok(Json(
        state
            .control
            .template_version_list(&actor.who, template, &by)
            .await?,
    ))
}

async fn version(
    State(state): State<AppState>,
    actor: Actor,
    Path((template, name)): Path<(Uuid, String)>,
) -> Answer<TemplateVersion> {
    Ok(Json(
        state
            .control
            .template_version_read_by_name(&actor.who, template, &name)
            .await?,
    ))
}

async fn promote(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
    Json(request): Json<UpdateActiveTemplateVersion>,
) -> Answer<Message> {
    state
        .control
        .template_promote(&actor.who, template, request.id)
        .await?;
    Ok(message("Updated the active template version!"))
}

async fn archive_unused(
    State(state): State<AppState>,
    actor: Actor,
    Path(template_id): Path<Uuid>,
    Json(request): Json<ArchiveTemplateVersionsRequest>,
) -> Answer<ArchiveTemplateVersionsResponse> {
    let done = state
        .control
        .template_versions_archive(&actor.who, template_id, request.all);
    let archived_ids = done.await?;
    Ok(Json(ArchiveTemplateVersionsResponse {
        template_id,
        archived_ids,
    }))
}

pub(super) fn message(text: impl Into<String>) -> Json<Message> {
    Json(Message {
        message: text.into(),
        ..Message::default()
    })
}
