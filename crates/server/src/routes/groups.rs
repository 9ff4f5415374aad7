//! `/groups` and the groups of an organization.

use api_types::{
    CreateGroupRequest, Group, GroupMembersResponse, PaginatedGroupsResponse, PatchGroupRequest,
    Response as Message,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use control::groups::GroupPath;
use store::{OrganizationRef, UserRef};
use uuid::Uuid;

use super::sign_in::message;
use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState, Pagination};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/groups", get(list))
        .route("/groups/{group}", get(read).patch(update).delete(delete))
        .route("/groups/{group}/members", get(members))
        .route(
            "/organizations/{organization}/groups",
            get(list_of).post(create),
        )
        .route(
            "/organizations/{organization}/paginated-groups",
            get(page_of),
        )
        .route(
            "/organizations/{organization}/groups/{group}",
            get(read_by_name),
        )
        .route(
            "/organizations/{organization}/groups/{group}/members",
            get(members_by_name),
        )
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    params: QueryParams,
) -> Answer<Vec<Group>> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let organization = some(params.text("organization")).map(|text| OrganizationRef::parse(&text));
    let member = some(params.text("has_member")).map(|text| UserRef::parse(&text));
    let groups = state
        .control
        .group_list(&actor.who, organization.as_ref(), member.as_ref());
    Ok(Json(groups.await?))
}

async fn list_of(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
) -> Answer<Vec<Group>> {
    let groups = state
        .control
        .group_list(&actor.who, Some(&organization), None);
    Ok(Json(groups.await?))
}

async fn page_of(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    mut params: QueryParams,
) -> Answer<PaginatedGroupsResponse> {
    let page = params.pagination();
    let search = params.text("q").to_lowercase();
    params.finish()?;
    let mut groups = state
        .control
        .group_summaries(&actor.who, &organization)
        .await?;
    groups.retain(|group| {
        let names = [&group.name, &group.display_name];
        names
            .iter()
            .any(|name| name.to_lowercase().contains(&search))
    });
    let count = i64::try_from(groups.len()).unwrap_or(i64::MAX);
    Ok(Json(PaginatedGroupsResponse {
        groups: part(groups, &page),
        count,
    }))
}

/// The part of a list that was asked for.
fn part<T>(all: Vec<T>, page: &Pagination) -> Vec<T> {
    let limit = match page.limit {
        0 => usize::MAX,
        limit => limit as usize,
    };
    all.into_iter()
        .skip(page.offset as usize)
        .take(limit)
        .collect()
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    Json(request): Json<CreateGroupRequest>,
) -> Result<(StatusCode, Json<Group>), ApiError> {
    let made = state
        .control
        .group_create(&actor.who, &organization, request);
    Ok((StatusCode::CREATED, Json(made.await?)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
) -> Answer<Group> {
    let which = GroupPath::Id(group);
    Ok(Json(state.control.group_read(&actor.who, &which).await?))
}

async fn read_by_name(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, name)): Path<(OrganizationRef, String)>,
) -> Answer<Group> {
    let which = GroupPath::Name(organization, name);
    Ok(Json(state.control.group_read(&actor.who, &which).await?))
}

async fn members(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
    params: QueryParams,
) -> Answer<GroupMembersResponse> {
    members_page(&state, &actor, &GroupPath::Id(group), params).await
}

async fn members_by_name(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, name)): Path<(OrganizationRef, String)>,
    params: QueryParams,
) -> Answer<GroupMembersResponse> {
    let which = GroupPath::Name(organization, name);
    members_page(&state, &actor, &which, params).await
}

async fn members_page(
    state: &AppState,
    actor: &Actor,
    which: &GroupPath,
    mut params: QueryParams,
) -> Answer<GroupMembersResponse> {
    let page = params.pagination();
    let search = params.text("q").to_lowercase();
    params.finish()?;
    let mut users = state.control.group_read(&actor.who, which).await?.members;
    users.retain(|user| {
        let texts = [&user.username, &user.name, &user.email];
        texts
            .iter()
            .any(|text| text.to_lowercase().contains(&search))
    });
    let count = i64::try_from(users.len()).unwrap_or(i64::MAX);
    Ok(Json(GroupMembersResponse {
        users: part(users, &page),
        count,
    }))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
    Json(request): Json<PatchGroupRequest>,
) -> Answer<Group> {
    let which = GroupPath::Id(group);
    let changed = state.control.group_update(&actor.who, &which, request);
    Ok(Json(changed.await?))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
) -> Answer<Message> {
    let which = GroupPath::Id(group);
    state.control.group_delete(&actor.who, &which).await?;
    Ok(message("Successfully deleted group!"))
}
