//! `/external-auth`: accounts at other services. None can be configured yet, and that is what
//! is told.

use api_types::ListUserExternalAuthResponse;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/external-auth", get(list))
        .route("/external-auth/{provider}", get(read).delete(read))
}

async fn list(_: Actor) -> Json<ListUserExternalAuthResponse> {
    Json(ListUserExternalAuthResponse::default())
}

async fn read(_: Actor, Path(provider): Path<String>) -> ApiError {
    let shown: String = provider.chars().take(64).collect();
    ApiError::new(
        StatusCode::NOT_FOUND,
        format!("No external auth provider {shown:?} is configured on this server."),
    )
}
