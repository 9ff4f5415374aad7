//! Making, changing and deleting organizations, their own roles, and their settings.

use api_types::{
    CreateOrganizationRequest, CustomRoleRequest, Organization, Response as Message, Role,
    UpdateOrganizationRequest, UpdateWorkspaceSharingSettingsRequest, WorkspaceSharingSettings,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use store::OrganizationRef;

use super::sign_in::message;
use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/organizations", post(create))
        .route(
            "/organizations/{organization}",
            patch(update).delete(remove),
        )
        .route(
            "/organizations/{organization}/members/roles",
            post(role_create).put(role_update),
        )
        .route(
            "/organizations/{organization}/members/roles/{role}",
            delete(role_delete),
        )
        .route(
            "/organizations/{organization}/settings/workspace-sharing",
            get(sharing_read).patch(sharing_set),
        )
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<CreateOrganizationRequest>,
) -> Result<(StatusCode, Json<Organization>), ApiError> {
    let made = state.control.organization_create(&actor.who, request);
    Ok((StatusCode::CREATED, Json(made.await?)))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    Json(request): Json<UpdateOrganizationRequest>,
) -> Answer<Organization> {
    let changed = state
        .control
        .organization_update(&actor.who, &organization, request);
    Ok(Json(changed.await?))
}

async fn remove(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
) -> Answer<Message> {
    state
        .control
        .organization_delete(&actor.who, &organization)
        .await?;
    Ok(message("Organization has been deleted."))
}

async fn role_create(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    Json(request): Json<CustomRoleRequest>,
) -> Answer<Role> {
    let made = state
        .control
        .custom_role_create(&actor.who, &organization, request);
    Ok(Json(made.await?))
}

async fn role_update(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    Json(request): Json<CustomRoleRequest>,
) -> Answer<Role> {
    let changed = state
        .control
        .custom_role_update(&actor.who, &organization, request);
    Ok(Json(changed.await?))
}

async fn role_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, role)): Path<(OrganizationRef, String)>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .custom_role_delete(&actor.who, &organization, &role)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sharing_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
) -> Answer<WorkspaceSharingSettings> {
    let settings = state
        .control
        .organization_sharing_read(&actor.who, &organization);
    Ok(Json(settings.await?))
}

async fn sharing_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    Json(request): Json<UpdateWorkspaceSharingSettingsRequest>,
) -> Answer<WorkspaceSharingSettings> {
    let settings = state
        .control
        .organization_sharing_set(&actor.who, &organization, request);
    Ok(Json(settings.await?))
}
