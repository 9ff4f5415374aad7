//! Who else may use a template or a workspace: `/templates/{t}/acl`, `/workspaces/{w}/acl`.

use api_types::{
    AclAvailable, MinimalUser, Response as Message, TemplateAcl, UpdateTemplateAcl,
    UpdateWorkspaceAcl, WorkspaceAcl,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use store::OrganizationRef;
use uuid::Uuid;

use super::sign_in::message;
use super::users::page;
use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route(
            "/templates/{template}/acl",
            get(template).patch(template_set),
        )
        .route(
            "/templates/{template}/acl/available",
            get(template_available),
        )
        .route(
            "/workspaces/{workspace}/acl",
            get(workspace).patch(workspace_set).delete(workspace_end),
        )
        .route(
            "/organizations/{organization}/members/{user}/workspaces/available-users",
            get(available_owners),
        )
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn template(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
) -> Answer<TemplateAcl> {
    let list = state.control.template_acl_read(&actor.who, template);
    Ok(Json(list.await?))
}

async fn template_available(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
    mut params: QueryParams,
) -> Answer<AclAvailable> {
    let page = page(&mut params);
    let search = params.text("q").to_owned();
    params.finish()?;
    let offered = state
        .control
        .template_acl_available(&actor.who, template, &search, page);
    Ok(Json(offered.await?))
}

async fn template_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(template): Path<Uuid>,
    Json(request): Json<UpdateTemplateAcl>,
) -> Answer<Message> {
    state
        .control
        .template_acl_set(&actor.who, template, request)
        .await?;
    Ok(message("Successfully updated template ACL list."))
}

async fn workspace(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Answer<WorkspaceAcl> {
    let list = state.control.workspace_acl_read(&actor.who, workspace);
    Ok(Json(list.await?))
}

async fn workspace_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    Json(request): Json<UpdateWorkspaceAcl>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .workspace_acl_set(&actor.who, workspace, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn workspace_end(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .workspace_acl_delete(&actor.who, workspace)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn available_owners(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, _)): Path<(OrganizationRef, String)>,
    mut params: QueryParams,
) -> Answer<Vec<MinimalUser>> {
    let page = page(&mut params);
    let search = params.text("q").to_owned();
    params.finish()?;
    let offered =
        state
            .control
            .workspace_available_owners(&actor.who, &organization, &search, page);
    Ok(Json(offered.await?))
}
