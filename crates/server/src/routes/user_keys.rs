//! `/users/{user}/keys`: API keys and tokens.

use api_types::{ApiKey, ApiKeyWithOwner, CreateTokenRequest, GenerateApiKeyResponse, TokenConfig};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use store::UserRef;

use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/users/{user}/keys", post(create))
        .route(
            "/users/{user}/keys/tokens",
            get(token_list).post(token_create),
        )
        .route("/users/{user}/keys/tokens/tokenconfig", get(token_config))
        .route("/users/{user}/keys/tokens/{name}", get(token_read))
        .route("/users/{user}/keys/{key}", get(read).delete(delete))
        .route("/users/{user}/keys/{key}/expire", put(expire))
        .route("/auth/scopes", get(scopes))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<(StatusCode, Json<GenerateApiKeyResponse>), ApiError> {
    let key = state.control.key_create(&actor.who, &user).await?;
    Ok((StatusCode::CREATED, Json(key)))
}

async fn token_create(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<CreateTokenRequest>,
) -> Result<(StatusCode, Json<GenerateApiKeyResponse>), ApiError> {
    let key = state
        .control
        .token_create(&actor.who, &user, request)
        .await?;
    Ok((StatusCode::CREATED, Json(key)))
}

/// An empty list is `null`, as clients of the API expect here.
async fn token_list(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    mut params: QueryParams,
) -> Result<Json<Option<Vec<ApiKeyWithOwner>>>, ApiError> {
    let (all, expired) = (params.flag("include_all"), params.flag("include_expired"));
    params.finish()?;
    let tokens = state
        .control
        .token_list(&actor.who, &user, all, expired)
        .await?;
    Ok(Json(Some(tokens).filter(|tokens| !tokens.is_empty())))
}

async fn token_config(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<TokenConfig>, ApiError> {
    Ok(Json(
        state.control.token_config_read(&actor.who, &user).await?,
    ))
}

async fn token_read(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, name)): Path<(UserRef, String)>,
) -> Result<Json<ApiKey>, ApiError> {
    Ok(Json(
        state.control.token_read(&actor.who, &user, &name).await?,
    ))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, key)): Path<(UserRef, String)>,
) -> Result<Json<ApiKey>, ApiError> {
    Ok(Json(state.control.key_read(&actor.who, &user, &key).await?))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, key)): Path<(UserRef, String)>,
) -> Result<StatusCode, ApiError> {
    state.control.key_delete(&actor.who, &user, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn expire(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, key)): Path<(UserRef, String)>,
) -> Result<StatusCode, ApiError> {
    state.control.key_expire(&actor.who, &user, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn scopes() -> Json<serde_json::Value> {
    Json(serde_json::json!({"external": authz::public_scopes()}))
}
