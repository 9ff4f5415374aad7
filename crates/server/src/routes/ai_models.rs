//! `/organizations/{organization}/chats/models` and which of them serves which purpose.

use api_types::{
    ChatModel, ChatModelOverride, ChatModelOverrides, ChatModelRequest, OrganizationChatModels,
    UserChatModelOverride, UserChatModelOverrides,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{any, get, patch, put};
use store::ai::ModelRow;
use store::{OrganizationRef, UserRef};
use uuid::Uuid;

use super::reading_lists;
use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    const CHATS: &str = "/organizations/{organization}/chats";
    const MEMBER: &str = "/organizations/{organization}/members/{user}/chats/model-overrides";
    Router::new()
        .route(&format!("{CHATS}/models"), get(list).post(create))
        .route(
            &format!("{CHATS}/models/{{model}}"),
            get(read).patch(update).delete(delete),
        )
        .merge(reading_lists::router::<ModelRow>(&format!(
            "{CHATS}/models/{{model}}"
        )))
        .route(&format!("{CHATS}/model-overrides"), get(overrides))
        .route(
            &format!("{CHATS}/model-overrides/{{context}}"),
            put(override_set),
        )
        .route(MEMBER, get(own))
        .route(&format!("{MEMBER}/{{context}}"), put(own_set))
        // Gone, but no chat either.
        .route(FORMER, any(|| async { ApiError::no_route() }))
}

/// Where models were before organizations had their own.
const FORMER: &str = "/chats/model-configs";

/// The models of the default organization, for clients that know of no other.
pub fn experimental() -> Router<AppState> {
    Router::new()
        .route(FORMER, get(former_list).post(former_create))
        .route(
            &format!("{FORMER}/{{model}}"),
            patch(former_update).delete(former_delete),
        )
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(which): Path<OrganizationRef>,
) -> Answer<OrganizationChatModels> {
    Ok(Json(
        state.control.chat_model_list(&actor.who, &which).await?,
    ))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(which): Path<OrganizationRef>,
    Json(request): Json<ChatModelRequest>,
) -> Result<(StatusCode, Json<ChatModel>), ApiError> {
    let made = state.control.chat_model_create(&actor.who, &which, request);
    Ok((StatusCode::CREATED, Json(made.await?)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, model)): Path<(OrganizationRef, Uuid)>,
) -> Answer<ChatModel> {
    let found = state.control.chat_model_read(&actor.who, &which, model);
    Ok(Json(found.await?))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, model)): Path<(OrganizationRef, Uuid)>,
    Json(request): Json<ChatModelRequest>,
) -> Answer<ChatModel> {
    let changed = state
        .control
        .chat_model_update(&actor.who, &which, model, request);
    Ok(Json(changed.await?))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, model)): Path<(OrganizationRef, Uuid)>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .chat_model_delete(&actor.who, &which, model)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn overrides(
    State(state): State<AppState>,
    actor: Actor,
    Path(which): Path<OrganizationRef>,
) -> Answer<ChatModelOverrides> {
    let list = state.control.chat_model_override_list(&actor.who, &which);
    Ok(Json(list.await?))
}

async fn override_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, context)): Path<(OrganizationRef, String)>,
    Json(request): Json<ChatModelOverride>,
) -> Answer<ChatModelOverride> {
    let set = state
        .control
        .chat_model_override_set(&actor.who, &which, &context, request);
    Ok(Json(set.await?))
}

async fn own(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, user)): Path<(OrganizationRef, UserRef)>,
) -> Answer<UserChatModelOverrides> {
    let list = state
        .control
        .user_chat_model_override_list(&actor.who, &which, &user);
    Ok(Json(list.await?))
}

async fn own_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, user, context)): Path<(OrganizationRef, UserRef, String)>,
    Json(request): Json<UserChatModelOverride>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .user_chat_model_override_set(&actor.who, &which, &user, &context, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn former_list(State(state): State<AppState>, actor: Actor) -> Answer<Vec<ChatModel>> {
    let which = OrganizationRef::Default;
    let all = state.control.chat_model_list(&actor.who, &which).await?;
    Ok(Json(all.models))
}

async fn former_create(
    state: State<AppState>,
    actor: Actor,
    request: Json<ChatModelRequest>,
) -> Result<(StatusCode, Json<ChatModel>), ApiError> {
    create(state, actor, Path(OrganizationRef::Default), request).await
}

async fn former_update(
    state: State<AppState>,
    actor: Actor,
    Path(model): Path<Uuid>,
    request: Json<ChatModelRequest>,
) -> Answer<ChatModel> {
    update(
        state,
        actor,
        Path((OrganizationRef::Default, model)),
        request,
    )
    .await
}

async fn former_delete(
    state: State<AppState>,
    actor: Actor,
    Path(model): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    delete(state, actor, Path((OrganizationRef::Default, model))).await
}
