//! The Tailnet service, for clients and for agents.

use std::time::Duration;

use authz::Subject;
use chrono::Utc;
use control::Control;
use rpc::TailnetService;
use rpc::drpc::{Receiver, Sender, Status};
use rpc::proto::tailnet::{
    CoordinateRequest, CoordinateResponse, DerpMap, RefreshResumeTokenRequest,
    RefreshResumeTokenResponse, StreamDerpMapsRequest, TelemetryRequest, TelemetryResponse,
    WorkspaceUpdate, WorkspaceUpdatesRequest,
};
use uuid::Uuid;

use super::{Access, Tailnet, updates};

/// The stream of maps stays open; the map of a process does not change.
const FOREVER: Duration = Duration::from_hours(24);

async fn stream_maps(tailnet: &Tailnet, mut output: Sender<DerpMap>) -> Result<(), Status> {
    output.send(tailnet.proto_derp_map()).await?;
    loop {
        tokio::time::sleep(FOREVER).await;
    }
}

/// What a client may call.
pub(crate) struct ClientTailnet {
    /// The server's part in the tunnel.
    pub(crate) tailnet: Tailnet,
    /// The client.
    pub(crate) peer: Uuid,
    /// What it may reach.
    pub(crate) access: Access,
    /// The user whose workspaces it may follow, where that is served.
    pub(crate) user: Option<(Control, Subject)>,
}

impl TailnetService for ClientTailnet {
    async fn stream_derp_maps(
        &self,
        _: StreamDerpMapsRequest,
        output: Sender<DerpMap>,
    ) -> Result<(), Status> {
        stream_maps(&self.tailnet, output).await
    }

    async fn coordinate(
        &self,
        input: Receiver<CoordinateRequest>,
        output: Sender<CoordinateResponse>,
    ) -> Result<(), Status> {
        self.tailnet
            .coordinator()
            .serve(self.peer, &self.access, input, output)
            .await
    }

    async fn refresh_resume_token(
        &self,
        _: RefreshResumeTokenRequest,
    ) -> Result<RefreshResumeTokenResponse, Status> {
        self.tailnet
            .resume()
            .issue(self.peer, Utc::now())
            .await
            .map_err(Status::new)
    }

    async fn workspace_updates(
        &self,
        request: WorkspaceUpdatesRequest,
        output: Sender<WorkspaceUpdate>,
    ) -> Result<(), Status> {
        let Some((control, who)) = &self.user else {
            return Err(Status::unimplemented());
        };
        let owner = Uuid::from_slice(&request.workspace_owner_id).ok();
        if owner.is_none() || owner != who.user_id() {
            return Err(Status::new("only your own workspaces can be followed"));
        }
        updates::follow(control, who, output).await
    }

    async fn post_telemetry(&self, _: TelemetryRequest) -> Result<TelemetryResponse, Status> {
        // Taken so that clients do not try again; nothing is collected.
        Ok(TelemetryResponse {})
    }
}

/// What an agent may call.
pub(crate) struct AgentTailnet {
    /// The server's part in the tunnel.
    pub(crate) tailnet: Tailnet,
    /// The agent.
    pub(crate) agent: Uuid,
}

impl TailnetService for AgentTailnet {
    async fn stream_derp_maps(
        &self,
        _: StreamDerpMapsRequest,
        output: Sender<DerpMap>,
    ) -> Result<(), Status> {
        stream_maps(&self.tailnet, output).await
    }

    async fn coordinate(
        &self,
        input: Receiver<CoordinateRequest>,
        output: Sender<CoordinateResponse>,
    ) -> Result<(), Status> {
        self.tailnet
            .coordinator()
            .serve(self.agent, &Access::Agent, input, output)
            .await
    }

    async fn post_telemetry(&self, _: TelemetryRequest) -> Result<TelemetryResponse, Status> {
        Ok(TelemetryResponse {})
    }
}
