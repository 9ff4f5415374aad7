//! Provisioner daemons and jobs of an organization.

use api_types::{ProvisionerDaemon, ProvisionerJob};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use control::jobs::{DaemonFilter, JobFilter};
use store::{OrganizationRef, UserRef};
use uuid::Uuid;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState, QueryParams};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route(
            "/organizations/{organization}/provisionerdaemons",
            get(daemons),
        )
        .route("/organizations/{organization}/provisionerjobs", get(jobs))
        .route(
            "/organizations/{organization}/provisionerjobs/{job}",
            get(job),
        )
}

async fn daemons(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    mut params: QueryParams,
) -> Result<Json<Vec<ProvisionerDaemon>>, ApiError> {
    let by = DaemonFilter {
        ids: ids(&mut params),
        status: list(params.text("status")),
        offline: params.flag("offline"),
        limit: params.pagination().limit.into(),
    };
    params.finish()?;
    Ok(Json(
        state
            .control
            .provisioner_daemon_list(&actor.who, &organization, &by)
            .await?,
    ))
}

async fn jobs(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<OrganizationRef>,
    mut params: QueryParams,
) -> Result<Json<Vec<ProvisionerJob>>, ApiError> {
    let initiator = params.text("initiator").to_owned();
    let by = JobFilter {
        ids: ids(&mut params),
        status: list(params.text("status")),
        initiator: if initiator.is_empty() {
            None
        } else {
            Some(
                state
                    .control
                    .workspace_owner(&actor.who, &UserRef::parse(&initiator))
                    .await?
                    .id,
            )
        },
        limit: params.pagination().limit.into(),
    };
    params.finish()?;
    Ok(Json(
        state
            .control
            .provisioner_job_list(&actor.who, &organization, &by)
            .await?,
    ))
}

async fn job(
    State(state): State<AppState>,
    actor: Actor,
    Path((organization, job)): Path<(OrganizationRef, Uuid)>,
) -> Result<Json<ProvisionerJob>, ApiError> {
    Ok(Json(
        state
            .control
            .provisioner_job_read(&actor.who, &organization, job)
            .await?,
    ))
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn ids(params: &mut QueryParams) -> Vec<Uuid> {
    let texts = list(params.text("ids"));
    let ids: Vec<Uuid> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    if ids.len() != texts.len() {
        params.wrong(
            "ids",
            "Query param \"ids\" must be UUIDs, separated by commas.",
        );
    }
    ids
}
