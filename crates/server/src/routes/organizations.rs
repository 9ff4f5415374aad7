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
    Path(organization): Path<String>,
) -> Result<Json<Organization>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    Ok(Json(
        state.control.organization_read(&actor.who, &which).await?,
    ))
}

async fn members(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Result<Json<Vec<OrganizationMemberWithUserData>>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    Ok(Json(
        state
            .control
            .organization_member_list(&actor.who, &which)
            .await?,
    ))
}

async fn members_page(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
    mut params: QueryParams,
) -> Result<Json<PaginatedMembersResponse>, ApiError> {
    let page = params.pagination();
    params.finish()?;
    let which = OrganizationRef::parse(&organization);
    let all = state
        .control
        .organization_member_list(&actor.who, &which)
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
    Path((organization, user)): Path<(String, String)>,
) -> Result<Json<OrganizationMemberWithUserData>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    let user = state
        .control
        .user_read(&actor.who, &UserRef::parse(&user))
        .await?
        .id;
    Ok(Json(
        state
            .control
            .organization_member_read(&actor.who, &which, user)
            .await?,
    ))
}

async fn member_create(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(String, String)>,
) -> Result<Json<OrganizationMember>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    Ok(Json(
        state
            .control
            .member_create(&actor.who, &which, &UserRef::parse(&user))
            .await?,
    ))
}

async fn member_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let which = OrganizationRef::parse(&organization);
    state
        .control
        .member_delete(&actor.who, &which, &UserRef::parse(&user))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn member_roles_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(String, String)>,
    Json(request): Json<UpdateRoles>,
) -> Result<Json<OrganizationMember>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    let user = UserRef::parse(&user);
    Ok(Json(
        state
            .control
            .member_roles_set(&actor.who, &which, &user, &request.roles)
            .await?,
    ))
}

async fn role_list(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Result<Json<Vec<AssignableRoles>>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    Ok(Json(
        state
            .control
            .organization_role_list(&actor.who, &which)
            .await?,
    ))
}
