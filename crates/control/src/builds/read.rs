//! Reading builds.

use api_types::{
    WorkspaceBuild, WorkspaceBuildParameter, WorkspaceBuildTimings, WorkspaceResource,
};
use authz::Subject;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{shown, shown_waiting};
use crate::{Control, Error, Kind, Result};

impl Control {
    /// A build.
    pub async fn workspace_build_read(&self, who: &Subject, id: Uuid) -> Result<WorkspaceBuild> {
        let conn = self.store().conn().await?;
        shown_waiting(&conn, conn.workspace_build_read(who, id).await?).await
    }

    /// A build by owner, workspace and number.
    pub async fn workspace_build_read_by_number(
        &self,
        who: &Subject,
        owner: Uuid,
        workspace: &str,
        number: i32,
    ) -> Result<WorkspaceBuild> {
        let conn = self.store().conn().await?;
        let id = conn
            .workspace_read_by_name(who, owner, workspace, false)
            .await?
            .api
            .id;
        let row = conn
            .workspace_build_read_by_number(who, id, number)
            .await
            .map_err(|_| {
                Error::new(
                    Kind::NotFound,
                    format!("Workspace {workspace:?} Build {number} does not exist."),
                )
            })?;
        shown_waiting(&conn, row).await
    }

    /// Builds of a workspace, newest first.
    pub async fn workspace_build_list(
        &self,
        who: &Subject,
        workspace: Uuid,
        page: (Option<Uuid>, i64, i64),
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<WorkspaceBuild>> {
        let (after, limit, offset) = page;
        let conn = self.store().conn().await?;
        conn.workspace_read(who, workspace).await?;
        if let Some(after) = after {
            let known = conn.workspace_build_read(who, after).await;
            if !known.is_ok_and(|b| b.api.workspace_id == workspace) {
                return Err(Error::invalid(format!(
                    "Record at \"after_id\" ({after}) does not exist."
                )));
            }
        }
        let rows = conn
            .workspace_build_list(workspace, after, since, limit, offset)
            .await?;
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Parameters of a build.
    pub async fn workspace_build_parameters(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<Vec<WorkspaceBuildParameter>> {
        let conn = self.store().conn().await?;
        conn.workspace_build_read(who, id).await?;
        Ok(conn.workspace_build_parameters(id).await?)
    }

    /// Resources that a build made.
    pub async fn workspace_build_resources(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<Vec<WorkspaceResource>> {
        let row = self
            .store()
            .conn()
            .await?
            .workspace_build_read(who, id)
            .await?;
        Ok(shown(row).resources)
    }

    /// How long a build's steps took.
    pub async fn workspace_build_timings(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<WorkspaceBuildTimings> {
        let conn = self.store().conn().await?;
        conn.workspace_build_read(who, id).await?;
        Ok(conn.workspace_build_timings(id).await?)
    }

    /// How long the steps of a workspace's latest build took.
    pub async fn workspace_timings(
        &self,
        who: &Subject,
        workspace: Uuid,
    ) -> Result<WorkspaceBuildTimings> {
        let conn = self.store().conn().await?;
        let build = conn
            .workspace_read(who, workspace)
            .await?
            .api
            .latest_build
            .id;
        Ok(conn.workspace_build_timings(build).await?)
    }

    /// The job of a build, for its log.
    pub async fn workspace_build_job(&self, who: &Subject, id: Uuid) -> Result<Uuid> {
        Ok(self
            .store()
            .conn()
            .await?
            .workspace_build_read(who, id)
            .await?
            .api
            .job
            .id)
    }
}
