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
    Path(organization): Path<String>,
    Json(request): Json<UpdateOrganizationRequest>,
) -> Answer<Organization> {
    let which = OrganizationRef::parse(&organization);
    let changed = state
        .control
        .organization_update(&actor.who, &which, request);
    Ok(Json(changed.await?))
}

async fn remove(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Answer<Message> {
    let which = OrganizationRef::parse(&organization);
    state
        .control
        .organization_delete(&actor.who, &which)
        .await?;
    Ok(message("Organization has been deleted."))
}

async fn role_create(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
    Json(request): Json<CustomRoleRequest>,
) -> Answer<Role> {
    let which = OrganizationRef::parse(&organization);
    let made = state
        .control
        .custom_role_create(&actor.who, &which, request);
    Ok(Json(made.await?))
}

async fn role_update(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
    Json(request): Json<CustomRoleRequest>,
) -> Answer<Role> {
    let which = OrganizationRef::parse(&organization);
    let changed = state
        .control
        .custom_role_update(&actor.who, &which, request);
    Ok(Json(changed.await?))
}

async fn role_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, role)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let which = OrganizationRef::parse(&organization);
    state
        .control
        .custom_role_delete(&actor.who, &which, &role)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sharing_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Answer<WorkspaceSharingSettings> {
    let which = OrganizationRef::parse(&organization);
    let settings = state.control.organization_sharing_read(&actor.who, &which);
    Ok(Json(settings.await?))
}

async fn sharing_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
    Json(request): Json<UpdateWorkspaceSharingSettingsRequest>,
) -> Answer<WorkspaceSharingSettings> {
    let which = OrganizationRef::parse(&organization);
    let settings = state
        .control
        .organization_sharing_set(&actor.who, &which, request);
    Ok(Json(settings.await?))
}
