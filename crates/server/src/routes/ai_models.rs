//! `/organizations/{organization}/chats/models` and which of them serves which purpose.

use api_types::{
    AclAvailable, ChatModel, ChatModelAcl, ChatModelOverride, ChatModelOverrides, ChatModelRequest,
    OrganizationChatModels, UpdateChatModelAcl, UserChatModelOverride, UserChatModelOverrides,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{any, get, patch, put};
use store::{OrganizationRef, UserRef};
use uuid::Uuid;

use super::users::page;
use crate::extract::{Json, Path, QueryParams};
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
        .route(
            &format!("{CHATS}/models/{{model}}/acl"),
            get(acl).patch(acl_set),
        )
        .route(
            &format!("{CHATS}/models/{{model}}/acl/available"),
            get(acl_available),
        )
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
/// Whose these models are now.
const DEFAULT: &str = "default";

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
    Path(organization): Path<String>,
) -> Answer<OrganizationChatModels> {
    let which = OrganizationRef::parse(&organization);
    Ok(Json(
        state.control.chat_model_list(&actor.who, &which).await?,
    ))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
    Json(request): Json<ChatModelRequest>,
) -> Result<(StatusCode, Json<ChatModel>), ApiError> {
    let which = OrganizationRef::parse(&organization);
    let made = state.control.chat_model_create(&actor.who, &which, request);
    Ok((StatusCode::CREATED, Json(made.await?)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, model)): Path<(String, Uuid)>,
) -> Answer<ChatModel> {
    let which = OrganizationRef::parse(&organization);
    let found = state.control.chat_model_read(&actor.who, &which, model);
    Ok(Json(found.await?))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, model)): Path<(String, Uuid)>,
    Json(request): Json<ChatModelRequest>,
) -> Answer<ChatModel> {
    let which = OrganizationRef::parse(&organization);
    let changed = state
        .control
        .chat_model_update(&actor.who, &which, model, request);
    Ok(Json(changed.await?))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, model)): Path<(String, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let which = OrganizationRef::parse(&organization);
    state
        .control
        .chat_model_delete(&actor.who, &which, model)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn acl(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, model)): Path<(String, Uuid)>,
) -> Answer<ChatModelAcl> {
    let which = OrganizationRef::parse(&organization);
    let list = state.control.chat_model_acl_read(&actor.who, &which, model);
    Ok(Json(list.await?))
}

async fn acl_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, model)): Path<(String, Uuid)>,
    Json(request): Json<UpdateChatModelAcl>,
) -> Result<StatusCode, ApiError> {
    let which = OrganizationRef::parse(&organization);
    state
        .control
        .chat_model_acl_set(&actor.who, &which, model, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn acl_available(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, model)): Path<(String, Uuid)>,
    mut params: QueryParams,
) -> Answer<AclAvailable> {
    let which = OrganizationRef::parse(&organization);
    let page = page(&mut params);
    let search = params.text("q").to_owned();
    params.finish()?;
    let offered = state
        .control
        .chat_model_acl_available(&actor.who, &which, model, &search, page);
    Ok(Json(offered.await?))
}

async fn overrides(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Answer<ChatModelOverrides> {
    let which = OrganizationRef::parse(&organization);
    let list = state.control.chat_model_override_list(&actor.who, &which);
    Ok(Json(list.await?))
}

async fn override_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, context)): Path<(String, String)>,
    Json(request): Json<ChatModelOverride>,
) -> Answer<ChatModelOverride> {
    let which = OrganizationRef::parse(&organization);
    let set = state
        .control
        .chat_model_override_set(&actor.who, &which, &context, request);
    Ok(Json(set.await?))
}

async fn own(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user)): Path<(String, String)>,
) -> Answer<UserChatModelOverrides> {
    let which = OrganizationRef::parse(&organization);
    let user = UserRef::parse(&user);
    let list = state
        .control
        .user_chat_model_override_list(&actor.who, &which, &user);
    Ok(Json(list.await?))
}

async fn own_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, user, context)): Path<(String, String, String)>,
    Json(request): Json<UserChatModelOverride>,
) -> Result<StatusCode, ApiError> {
    let which = OrganizationRef::parse(&organization);
    let user = UserRef::parse(&user);
    state
        .control
        .user_chat_model_override_set(&actor.who, &which, &user, &context, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn former_list(State(state): State<AppState>, actor: Actor) -> Answer<Vec<ChatModel>> {
    let which = OrganizationRef::parse(DEFAULT);
    let all = state.control.chat_model_list(&actor.who, &which).await?;
    Ok(Json(all.models))
}

async fn former_create(
    state: State<AppState>,
    actor: Actor,
    request: Json<ChatModelRequest>,
) -> Result<(StatusCode, Json<ChatModel>), ApiError> {
    create(state, actor, Path(DEFAULT.to_owned()), request).await
}

async fn former_update(
    state: State<AppState>,
    actor: Actor,
    Path(model): Path<Uuid>,
    request: Json<ChatModelRequest>,
) -> Answer<ChatModel> {
    update(state, actor, Path((DEFAULT.to_owned(), model)), request).await
}

async fn former_delete(
    state: State<AppState>,
    actor: Actor,
    Path(model): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    delete(state, actor, Path((DEFAULT.to_owned(), model))).await
}
