//! Budgets for models of groups and users, and what was spent of them.

use api_types::{
    GroupAiBudget, GroupAiSpend, GroupMembersAiSpend, OrganizationGroupsAiSpend, UpsertAiBudget,
    UserAiBudgetOverride, UserAiSpendStatus,
};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use control::groups::GroupPath;
use store::{OrganizationRef, UserRef};
use uuid::Uuid;

use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route(
            "/groups/{group}/ai/budget",
            get(group).put(group_set).delete(group_delete),
        )
        .route("/groups/{group}/ai/spend", get(group_spend))
        .route("/groups/{group}/members/ai/spend", get(members))
        .route(
            "/organizations/{organization}/groups/{group}/members/ai/spend",
            get(members_by_name),
        )
        .route(
            "/organizations/{organization}/groups/ai/spend",
            get(organization_spend),
        )
        .route("/organizations/{organization}/ai/spend/export", get(export))
        .route(
            "/users/{user}/ai/budget/override",
            get(user).put(user_set).delete(user_delete),
        )
        .route("/users/{user}/ai/spend", get(user_spend))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn group(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
) -> Answer<GroupAiBudget> {
    let budget = state.control.group_ai_budget_read(&actor.who, group);
    Ok(Json(budget.await?))
}

async fn group_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
    Json(request): Json<UpsertAiBudget>,
) -> Answer<GroupAiBudget> {
    let budget = state
        .control
        .group_ai_budget_set(&actor.who, group, request);
    Ok(Json(budget.await?))
}

async fn group_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .group_ai_budget_delete(&actor.who, group)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn group_spend(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
) -> Answer<GroupAiSpend> {
    Ok(Json(state.control.group_ai_spend(&actor.who, group).await?))
}

async fn members(
    State(state): State<AppState>,
    actor: Actor,
    Path(group): Path<Uuid>,
) -> Answer<GroupMembersAiSpend> {
    let which = GroupPath::Id(group);
    let spend = state.control.group_members_ai_spend(&actor.who, &which);
    Ok(Json(spend.await?))
}

async fn members_by_name(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, group)): Path<(String, String)>,
) -> Answer<GroupMembersAiSpend> {
    let which = GroupPath::Name(OrganizationRef::parse(&organization), group);
    let spend = state.control.group_members_ai_spend(&actor.who, &which);
    Ok(Json(spend.await?))
}

async fn organization_spend(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Answer<OrganizationGroupsAiSpend> {
    let which = OrganizationRef::parse(&organization);
    let spend = state.control.organization_ai_spend(&actor.who, &which);
    Ok(Json(spend.await?))
}

async fn export(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
    params: QueryParams,
) -> Result<impl IntoResponse, ApiError> {
    let which = OrganizationRef::parse(&organization);
    let from = params.text("start_date").to_owned();
    let to = params.text("end_date").to_owned();
    params.finish()?;
    let csv = state
        .control
        .organization_ai_spend_export(&actor.who, &which, &from, &to)
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"ai-spend.csv\"",
        ),
    ];
    Ok((headers, csv))
}

async fn user(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<String>,
) -> Answer<UserAiBudgetOverride> {
    let which = UserRef::parse(&user);
    let budget = state.control.user_ai_budget_read(&actor.who, &which);
    Ok(Json(budget.await?))
}

async fn user_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<String>,
    Json(request): Json<UpsertAiBudget>,
) -> Answer<UserAiBudgetOverride> {
    let which = UserRef::parse(&user);
    let budget = state
        .control
        .user_ai_budget_set(&actor.who, &which, request);
    Ok(Json(budget.await?))
}

async fn user_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<String>,
) -> Result<StatusCode, ApiError> {
    let which = UserRef::parse(&user);
    state
        .control
        .user_ai_budget_delete(&actor.who, &which)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn user_spend(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<String>,
) -> Answer<UserAiSpendStatus> {
    let which = UserRef::parse(&user);
    Ok(Json(state.control.user_ai_spend(&actor.who, &which).await?))
}
