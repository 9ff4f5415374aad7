//! `/users/{user}/webpush`: browsers that want to be told.

use api_types::{DeleteWebpushSubscription, WebpushSubscription};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use store::UserRef;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route(
            "/users/{user}/webpush/subscription",
            post(subscribe).delete(unsubscribe),
        )
        .route("/users/{user}/webpush/test", post(test))
}

async fn subscribe(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<WebpushSubscription>,
) -> Result<StatusCode, ApiError> {
    let control = &state.control;
    control
        .webpush_subscribe(&actor.who, &user, &request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unsubscribe(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<DeleteWebpushSubscription>,
) -> Result<StatusCode, ApiError> {
    let control = &state.control;
    control
        .webpush_unsubscribe(&actor.who, &user, &request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<StatusCode, ApiError> {
    state.control.webpush_test(&actor.who, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
