//! Who may use a thing of an organization: `…/acl` and `…/acl/available` below its path.

use api_types::{AclAvailable, ReaderAcl, UpdateReaderAcl};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use control::Readable;
use store::OrganizationRef;
use uuid::Uuid;

use super::users::page;
use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes below a path with two names: the organization and the thing.
pub fn router<T: Readable>(path: &str) -> Router<AppState> {
    Router::new()
        .route(&format!("{path}/acl"), get(read::<T>).patch(set::<T>))
        .route(&format!("{path}/acl/available"), get(available::<T>))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn read<T: Readable>(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, id)): Path<(OrganizationRef, Uuid)>,
) -> Answer<ReaderAcl> {
    let list = state
        .control
        .reader_acl_read::<T>(&actor.who, &organization, id);
    Ok(Json(list.await?))
}

async fn set<T: Readable>(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, id)): Path<(OrganizationRef, Uuid)>,
    Json(request): Json<UpdateReaderAcl>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .reader_acl_set::<T>(&actor.who, &organization, id, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn available<T: Readable>(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, id)): Path<(OrganizationRef, Uuid)>,
    mut params: QueryParams,
) -> Answer<AclAvailable> {
    let page = page(&mut params);
    let search = params.text("q").to_owned();
    params.finish()?;
    let offered =
        state
            .control
            .reader_acl_available::<T>(&actor.who, &organization, id, &search, page);
    Ok(Json(offered.await?))
}
