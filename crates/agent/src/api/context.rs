//! Routes of what the workspace tells AI agents.

use std::sync::Arc;

use api_types::{ContextConfigResponse, ContextSnapshot, ContextSource};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Json;
use http::StatusCode;

use super::body;
use super::failure::Failure;
use crate::context::SourceError;

fn json(path: std::path::PathBuf) -> ContextSource {
    ContextSource {
        path: path.to_string_lossy().into_owned(),
    }
}

fn failed(message: &str, error: SourceError) -> Failure {
    match error {
        SourceError::Unknown(_) => Failure::not_found("Context source not found."),
        _ => Failure::bad_request(message),
    }
    .because(error)
}

pub async fn config(
    State(state): State<Arc<super::State>>,
) -> Result<Json<ContextConfigResponse>, Failure> {
    let read = tokio::task::spawn_blocking(move || state.context.legacy()).await;
    read.map(Json)
        .map_err(|error| Failure::system("The request failed.").because(error))
}

pub async fn sources(State(state): State<Arc<super::State>>) -> Json<Vec<ContextSource>> {
    Json(state.context.sources().into_iter().map(json).collect())
}

pub async fn add(
    State(state): State<Arc<super::State>>,
    request: Body,
) -> Result<(StatusCode, Json<ContextSource>), Failure> {
    let request: ContextSource = body::json(request).await?;
    let added = state
        .context
        .add(&request.path)
        .map_err(|error| failed("Could not add context source.", error))?;
    Ok((StatusCode::CREATED, Json(json(added))))
}

pub async fn source(
    State(state): State<Arc<super::State>>,
    Path(path): Path<String>,
) -> Result<Json<ContextSource>, Failure> {
    let found = state.context.source(&path);
    found
        .map(|path| Json(json(path)))
        .map_err(|error| failed("Context source not found.", error))
}

pub async fn remove(
    State(state): State<Arc<super::State>>,
    Path(path): Path<String>,
) -> Result<StatusCode, Failure> {
    let removed = state.context.remove(&path);
    removed
        .map(|()| StatusCode::NO_CONTENT)
        .map_err(|error| failed("Could not remove context source.", error))
}

pub async fn resync(State(state): State<Arc<super::State>>) -> Json<ContextSnapshot> {
    Json(state.context.resync().await.to_json())
}
