//! `/organizations`: reading organizations and their members.

use api_types::{Organization, OrganizationMemberWithUserData};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use store::OrganizationRef;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/organizations", get(list))
        .route("/organizations/{organization}", get(read))
        .route("/organizations/{organization}/members", get(members))
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<Vec<Organization>>, ApiError> {
    Ok(Json(
        state.control.organization_list(&actor.who, None).await?,
    ))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Result<Json<Organization>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    Ok(Json(
        state.control.organization_read(&actor.who, &which).await?,
    ))
}

async fn members(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Result<Json<Vec<OrganizationMemberWithUserData>>, ApiError> {
    let which = OrganizationRef::parse(&organization);
    Ok(Json(
        state
            .control
            .organization_member_list(&actor.who, &which)
            .await?,
    ))
}
