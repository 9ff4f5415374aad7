//! `/files`: archives up and down.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use control::MAX_UPLOAD;
use uuid::Uuid;

use crate::extract::{Json, Path, read_body};
use crate::{Actor, ApiError, AppState, QueryParams};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/files", post(create))
        .route("/files/{file}", get(read))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    request: Request,
) -> Result<Response, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind
        .and_then(|k| k.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = read_body(request.into_body(), MAX_UPLOAD).await?;
    let (upload, created) = state
        .control
        .file_create(&actor.who, &kind, body.into())
        .await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(upload)).into_response())
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(file): Path<Uuid>,
    params: QueryParams,
) -> Result<Response, ApiError> {
    let (kind, data) = state
        .control
        .file_read(&actor.who, file, params.text("format"))
        .await?;
    let mut response = data.into_response();
    let kind =
        HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
