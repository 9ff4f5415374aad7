//! Builds: what starts, stops and deletes workspaces.

mod cancel;
pub(crate) mod checks;
mod create;
mod followups;
pub(crate) mod parameters;
mod read;
mod validate;

pub(crate) use create::{Base, Wanted};

use api_types::WorkspaceBuild;
use chrono::Utc;
use store::Conn;
use store::workspace_builds::BuildRow;

use crate::Result;
use crate::workspaces::agents::complete_resources;
use crate::workspaces::status::workspace_status;

/// A build as clients see it.
pub(crate) fn shown(row: BuildRow) -> WorkspaceBuild {
    let mut api = row.api;
    api.status = workspace_status(&api.job.status, &api.transition);
    complete_resources(
        &mut api.resources,
        &api.workspace_name,
        &api.workspace_owner_name,
        Utc::now(),
    );
    api
}

/// A build that waits, with who could take it.
pub(crate) async fn shown_waiting(conn: &Conn, row: BuildRow) -> Result<WorkspaceBuild> {
    let mut api = shown(row);
    if api.job.status.as_str() == "pending" {
        let (org, tags) = (api.job.organization_id, &api.job.tags);
        let matched = conn
            .provisioner_daemons_matching(org, "terraform", tags)
            .await?;
        api.matched_provisioners = Some(matched);
    }
    Ok(api)
}
