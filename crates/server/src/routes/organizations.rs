//! `/organizations`: organizations, their members, roles and groups.

use api_types::{
    AssignableRoles, Organization, OrganizationMember, OrganizationMemberWithUserData,
    PaginatedMembersResponse, UpdateRoles,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use store::{OrganizationRef, UserRef};

use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    const MEMBER: &str = "/organizations/{organization}/members/{user}";
    Router::new()
        .route("/organizations", get(list))
        .route("/organizations/{organization}", get(read))
        .route("/organizations/{organization}/members", get(members))
        .route(
            "/organizations/{organization}/paginated-members",
            get(members_page),
        )
        .route(
            "/organizations/{organization}/members/roles",
            get(role_list),
        )
        .route(
            MEMBER,
            get(member_read)
                .merge(post(member_create))
                .delete(member_delete),
        )
        .route(&format!("{MEMBER}/roles"), put(member_roles_set))
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<Vec<Organization>>, ApiError> {
    Ok(Json(
        state.control.organization_list(&actor.who, None).await?,
    ))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
) -> Result<Json<Organization>, ApiError> {
    Ok(Json(
        state
            .control
            .organization_read(&actor.who, &organization)
            .await?,
    ))
}

async fn members(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
) -> Result<Json<Vec<OrganizationMemberWithUserData>>, ApiError> {
    Ok(Json(
        state
            .control
            .organization_member_list(&actor.who, &organization)
            .await?,
    ))
}

async fn members_page(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    mut params: QueryParams,
) -> Result<Json<PaginatedMembersResponse>, ApiError> {
    let page = params.pagination();
    params.finish()?;
    let all = state
        .control
        .organization_member_list(&actor.who, &organization)
        .await?;
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let limit = if page.limit == 0 {
        usize::MAX
    } else {
        page.limit as usize
    };
    let members = all
        .into_iter()
        .skip(page.offset as usize)
        .take(limit)
        .collect();
    Ok(Json(PaginatedMembersResponse { members, count }))
}

async fn member_read(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(OrganizationRef, UserRef)>,
) -> Result<Json<OrganizationMemberWithUserData>, ApiError> {
    let user = state.control.user_read(&actor.who, &user).await?.id;
    Ok(Json(
        state
            .control
            .organization_member_read(&actor.who, &organization, user)
            .await?,
    ))
}

async fn member_create(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(OrganizationRef, UserRef)>,
) -> Result<Json<OrganizationMember>, ApiError> {
    Ok(Json(
        state
            .control
            .member_create(&actor.who, &organization, &user)
            .await?,
    ))
}

async fn member_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(OrganizationRef, UserRef)>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .member_delete(&actor.who, &organization, &user)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn member_roles_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(OrganizationRef, UserRef)>,
    Json(request): Json<UpdateRoles>,
) -> Result<Json<OrganizationMember>, ApiError> {
    Ok(Json(
        state
            .control
            .member_roles_set(&actor.who, &organization, &user, &request.roles)
            .await?,
    ))
}

async fn role_list(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
) -> Result<Json<Vec<AssignableRoles>>, ApiError> {
    Ok(Json(
        state
            .control
            .organization_role_list(&actor.who, &organization)
            .await?,
    ))
}
