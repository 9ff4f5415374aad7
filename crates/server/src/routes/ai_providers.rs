//! `/ai/providers`, users' own keys, and `/ai/model-prices` (experimental).

use api_types::{
    AiModelPrice, AiProvider, CreateAiProvider, CreateUserAiProviderKey, UpdateAiProvider,
    UpsertAiModelPrices, UserAiProviderKeyConfig,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use control::AiPriceQuery;
use store::UserRef;
use uuid::Uuid;

use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/ai/providers", get(list).post(create))
        .route(
            "/ai/providers/{provider}",
            get(read).patch(update).delete(delete),
        )
        .merge(user_keys())
}

/// What is below `/api/experimental`: prices, and users' keys where older clients look for them.
pub fn experimental() -> Router<AppState> {
    Router::new()
        .route("/ai/model-prices", get(prices).post(prices_set))
        .merge(user_keys())
}

fn user_keys() -> Router<AppState> {
    Router::new()
        .route("/users/{user}/ai-provider-keys", get(keys))
        .route(
            "/users/{user}/ai-provider-keys/{provider}",
            put(key_set).delete(key_delete),
        )
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn list(State(state): State<AppState>, actor: Actor) -> Answer<Vec<AiProvider>> {
    Ok(Json(state.control.ai_provider_list(&actor.who).await?))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<CreateAiProvider>,
) -> Result<(StatusCode, Json<AiProvider>), ApiError> {
    let made = state.control.ai_provider_create(&actor.who, request);
    Ok((StatusCode::CREATED, Json(made.await?)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(provider): Path<String>,
) -> Answer<AiProvider> {
    let found = state.control.ai_provider_read(&actor.who, &provider);
    Ok(Json(found.await?))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(provider): Path<String>,
    Json(request): Json<UpdateAiProvider>,
) -> Answer<AiProvider> {
    let changed = state
        .control
        .ai_provider_update(&actor.who, &provider, request);
    Ok(Json(changed.await?))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(provider): Path<String>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .ai_provider_delete(&actor.who, &provider)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn keys(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<String>,
) -> Answer<Vec<UserAiProviderKeyConfig>> {
    let user = UserRef::parse(&user);
    Ok(Json(
        state.control.ai_user_key_list(&actor.who, &user).await?,
    ))
}

async fn key_set(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, provider)): Path<(String, Uuid)>,
    Json(request): Json<CreateUserAiProviderKey>,
) -> Answer<UserAiProviderKeyConfig> {
    let user = UserRef::parse(&user);
    let set = state
        .control
        .ai_user_key_set(&actor.who, &user, provider, request);
    Ok(Json(set.await?))
}

async fn key_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, provider)): Path<(String, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let user = UserRef::parse(&user);
    state
        .control
        .ai_user_key_delete(&actor.who, &user, provider)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn prices(
    State(state): State<AppState>,
    actor: Actor,
    params: QueryParams,
) -> Answer<Vec<AiModelPrice>> {
    let text = |name: &str| params.text(name).to_owned();
    let query = AiPriceQuery {
        provider: text("provider"),
        model: text("model"),
        source: text("source"),
    };
    params.finish()?;
    Ok(Json(state.control.ai_price_list(&actor.who, &query).await?))
}

async fn prices_set(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<UpsertAiModelPrices>,
) -> Result<StatusCode, ApiError> {
    state.control.ai_price_set(&actor.who, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
