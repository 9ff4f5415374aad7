//! `/audit` and `/authcheck`.

use std::collections::BTreeMap;

use api_types::{AuditLogResponse, AuthorizationRequest};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use super::users::page;
use crate::extract::{Json, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/audit", get(list))
        .route("/authcheck", post(check))
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
) -> Result<Json<AuditLogResponse>, ApiError> {
    let page = page(&mut params);
    let q = params.text("q").to_owned();
    params.finish()?;
    Ok(Json(state.control.audit_list(&actor.who, &q, page).await?))
}

async fn check(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<AuthorizationRequest>,
) -> Result<Json<BTreeMap<String, bool>>, ApiError> {
    Ok(Json(state.control.auth_check(&actor.who, request).await?))
}
