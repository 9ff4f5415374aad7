//! What the local socket answers.

use std::sync::Arc;

use rpc::AgentSocketService;
use rpc::drpc::Status;
use rpc::proto::agent::{UpdateAppStatusRequest, UpdateAppStatusResponse};
use rpc::proto::agentsocket as proto;

use super::units::Units;
use crate::context::{Context, Snapshot};
use crate::workspace::Workspace;

/// The service.
pub struct Service {
    workspace: Arc<Workspace>,
    context: Arc<Context>,
    units: Units,
}

impl Service {
    /// The service of this workspace.
    pub fn new(workspace: Arc<Workspace>, context: Arc<Context>) -> Self {
        Self {
            workspace,
            context,
            units: Units::default(),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Status {
    Status::new(error)
}

fn source(path: &std::path::Path) -> proto::ContextSource {
    proto::ContextSource {
        path: path.to_string_lossy().into_owned(),
    }
}

fn snapshot(snapshot: &Snapshot) -> proto::ContextSnapshot {
    let json = snapshot.to_json();
    proto::ContextSnapshot {
        version: json.version,
        aggregate_hash: json.aggregate_hash,
        payload_bytes: json.payload_bytes,
        snapshot_error: json.snapshot_error,
        resources: json
            .resources
            .into_iter()
            .map(|resource| proto::ContextResource {
                id: resource.id,
                kind: resource.kind,
                source: resource.source,
                source_path: resource.source_path,
                content_hash: resource.content_hash,
                size_bytes: resource.size_bytes,
                status: resource.status,
                error: resource.error,
                name: resource.name,
                description: resource.description,
            })
            .collect(),
    }
}

impl AgentSocketService for Service {
    async fn ping(&self, _: proto::PingRequest) -> Result<proto::PingResponse, Status> {
        Ok(proto::PingResponse {})
    }

    async fn sync_start(
        &self,
        request: proto::SyncStartRequest,
    ) -> Result<proto::SyncStartResponse, Status> {
        self.units.start(&request.unit)?;
        Ok(proto::SyncStartResponse {})
    }

    async fn sync_want(
        &self,
        request: proto::SyncWantRequest,
    ) -> Result<proto::SyncWantResponse, Status> {
        self.units.want(&request.unit, &request.depends_on)?;
        Ok(proto::SyncWantResponse {})
    }

    async fn sync_complete(
        &self,
        request: proto::SyncCompleteRequest,
    ) -> Result<proto::SyncCompleteResponse, Status> {
        self.units.complete(&request.unit)?;
        Ok(proto::SyncCompleteResponse {})
    }

    async fn sync_ready(
        &self,
        request: proto::SyncReadyRequest,
    ) -> Result<proto::SyncReadyResponse, Status> {
        let ready = self.units.is_ready(&request.unit)?;
        Ok(proto::SyncReadyResponse { ready })
    }

    async fn sync_status(
        &self,
        request: proto::SyncStatusRequest,
    ) -> Result<proto::SyncStatusResponse, Status> {
        let (status, dependencies) = self.units.status(&request.unit)?;
        Ok(proto::SyncStatusResponse {
            status: status.to_owned(),
            is_ready: self.units.is_ready(&request.unit)?,
            dependencies,
        })
    }

    async fn sync_list(
        &self,
        _: proto::SyncListRequest,
    ) -> Result<proto::SyncListResponse, Status> {
        Ok(proto::SyncListResponse {
            units: self.units.list(),
        })
    }

    async fn update_app_status(
        &self,
        request: UpdateAppStatusRequest,
    ) -> Result<UpdateAppStatusResponse, Status> {
        let server = self
            .workspace
            .server()
            .ok_or_else(|| failed("agent not connected to coderd"))?;
        server.update_app_status(&request).await.map_err(failed)
    }

    async fn context_sources(
        &self,
        _: proto::ContextSourcesRequest,
    ) -> Result<proto::ContextSourcesResponse, Status> {
        let sources = self.context.sources();
        Ok(proto::ContextSourcesResponse {
            sources: sources.iter().map(|path| source(path)).collect(),
        })
    }

    async fn get_context_source(
        &self,
        request: proto::GetContextSourceRequest,
    ) -> Result<proto::GetContextSourceResponse, Status> {
        let found = self.context.source(&request.path).map_err(failed)?;
        Ok(proto::GetContextSourceResponse {
            source: Some(source(&found)),
        })
    }

    async fn add_context_source(
        &self,
        request: proto::AddContextSourceRequest,
    ) -> Result<proto::AddContextSourceResponse, Status> {
        let added = self.context.add(&request.path).map_err(failed)?;
        Ok(proto::AddContextSourceResponse {
            source: Some(source(&added)),
        })
    }

    async fn remove_context_source(
        &self,
        request: proto::RemoveContextSourceRequest,
    ) -> Result<proto::RemoveContextSourceResponse, Status> {
        self.context.remove(&request.path).map_err(failed)?;
        Ok(proto::RemoveContextSourceResponse {})
    }

    async fn get_context_snapshot(
        &self,
        _: proto::ContextSnapshotRequest,
    ) -> Result<proto::ContextSnapshotResponse, Status> {
        Ok(proto::ContextSnapshotResponse {
            snapshot: Some(snapshot(&self.context.latest())),
        })
    }

    async fn resync_context(
        &self,
        _: proto::ResyncContextRequest,
    ) -> Result<proto::ResyncContextResponse, Status> {
        let found = self.context.resync().await;
        if self.workspace.server().is_some() {
            self.context.told(&found).await;
        }
        Ok(proto::ResyncContextResponse {
            snapshot: Some(snapshot(&found)),
        })
    }
}
