//! Builds of workspaces: start, stop, delete, logs, state.

use api_types::{
    CreateWorkspaceBuildRequest, ProvisionerJobLog, UpdateWorkspaceBuildStateRequest,
    WorkspaceBuild, WorkspaceBuildParameter,
};
use base64::Engine;
use uuid::Uuid;

use crate::call::segment;
use crate::websocket::JsonSocket;
use crate::{Client, Error};

/// Terraform state beyond this is no state that a server accepts.
const MAX_STATE: usize = 100 << 20;

impl Client {
    /// Starts, stops or deletes a workspace.
    pub async fn build_create(
        &self,
        workspace: Uuid,
        body: &CreateWorkspaceBuildRequest,
    ) -> Result<WorkspaceBuild, Error> {
        self.post(&format!("/api/v2/workspaces/{workspace}/builds"))
            .json(body)
            .decode()
            .await
    }

    /// One build.
    pub async fn build(&self, id: Uuid) -> Result<WorkspaceBuild, Error> {
        self.get(&format!("/api/v2/workspacebuilds/{id}"))
            .decode()
            .await
    }

    /// One build by its number, which counts from 1 in each workspace.
    pub async fn build_by_number(
        &self,
        owner: &str,
        workspace: &str,
        number: i32,
    ) -> Result<WorkspaceBuild, Error> {
        self.get(&format!(
            "/api/v2/users/{}/workspace/{}/builds/{number}",
            segment(owner),
            segment(workspace)
        ))
        .decode()
        .await
    }

    /// Builds of a workspace, newest first.
    pub async fn builds(&self, workspace: Uuid) -> Result<Vec<WorkspaceBuild>, Error> {
        self.get(&format!("/api/v2/workspaces/{workspace}/builds"))
            .decode()
            .await
    }

    /// Stops a running build.
    pub async fn build_cancel(&self, id: Uuid) -> Result<(), Error> {
        self.patch(&format!("/api/v2/workspacebuilds/{id}/cancel"))
            .done()
            .await
    }

    /// Parameter values of a build.
    pub async fn build_parameters(&self, id: Uuid) -> Result<Vec<WorkspaceBuildParameter>, Error> {
        self.get(&format!("/api/v2/workspacebuilds/{id}/parameters"))
            .decode()
            .await
    }

    /// Log lines of the build after line `after`, as they come; the socket
    /// ends with the job.
    pub async fn build_logs(
        &self,
        id: Uuid,
        after: i64,
    ) -> Result<JsonSocket<ProvisionerJobLog>, Error> {
        self.websocket_json(&format!(
            "/api/v2/workspacebuilds/{id}/logs?follow&after={after}"
        ))
        .await
    }

    /// Terraform state after the build.
    pub async fn build_state(&self, id: Uuid) -> Result<Vec<u8>, Error> {
        self.get(&format!("/api/v2/workspacebuilds/{id}/state"))
            .read(MAX_STATE)
            .await
    }

    /// Replaces the state of a build without running one.
    pub async fn build_state_update(&self, id: Uuid, state: &[u8]) -> Result<(), Error> {
        let body = UpdateWorkspaceBuildStateRequest {
            state: base64::engine::general_purpose::STANDARD.encode(state),
        };
        self.put(&format!("/api/v2/workspacebuilds/{id}/state"))
            .json(&body)
            .done()
            .await
    }
}
