//! The Agent service: translation to the rules.

use control::agents::{AgentSession, LogsOutcome};
use rpc::AgentService;
use rpc::drpc::Status;
use rpc::proto::agent::{
    BatchCreateLogsRequest, BatchCreateLogsResponse, BatchUpdateAppHealthRequest,
    BatchUpdateAppHealthResponse, BatchUpdateMetadataRequest, BatchUpdateMetadataResponse,
    CreateSubAgentRequest, CreateSubAgentResponse, DeleteSubAgentRequest, DeleteSubAgentResponse,
    GetAnnouncementBannersRequest, GetAnnouncementBannersResponse, GetManifestRequest,
    GetResourcesMonitoringConfigurationRequest, GetResourcesMonitoringConfigurationResponse,
    GetServiceBannerRequest, Lifecycle, ListSubAgentsRequest, ListSubAgentsResponse, Manifest,
    PushContextStateRequest, PushContextStateResponse, PushResourcesMonitoringUsageRequest,
    PushResourcesMonitoringUsageResponse, ReportBoundaryLogsRequest, ReportBoundaryLogsResponse,
    ReportConnectionRequest, ServiceBanner, Startup, UpdateAppStatusRequest,
    UpdateAppStatusResponse, UpdateLifecycleRequest, UpdateStartupRequest, UpdateStatsRequest,
    UpdateStatsResponse, WorkspaceAgentScriptCompletedRequest,
    WorkspaceAgentScriptCompletedResponse,
};

use crate::AppState;

/// Entries of one report of the agent firewall.
const MAX_BOUNDARY_LOGS: usize = 1000;

/// The service for one agent's connection.
pub(super) struct AgentApi {
    pub(super) state: AppState,
    pub(super) agent: AgentSession,
    pub(super) api_version: String,
}

/// A rule's refusal as it travels.
fn refused(error: control::Error) -> Status {
    Status::new(error)
}

impl AgentService for AgentApi {
    async fn get_manifest(&self, _: GetManifestRequest) -> Result<Manifest, Status> {
        let settings = self.state.tailnet.manifest_settings();
        let manifest = self.state.control.agent_manifest(&self.agent, settings);
        manifest.await.map_err(refused)
    }

    async fn get_service_banner(
        &self,
        _: GetServiceBannerRequest,
    ) -> Result<ServiceBanner, Status> {
        Ok(ServiceBanner::default())
    }

    async fn get_announcement_banners(
        &self,
        _: GetAnnouncementBannersRequest,
    ) -> Result<GetAnnouncementBannersResponse, Status> {
        Ok(GetAnnouncementBannersResponse::default())
    }

    async fn update_stats(
        &self,
        request: UpdateStatsRequest,
    ) -> Result<UpdateStatsResponse, Status> {
        let control = &self.state.control;
        Ok(control.agent_stats_update(&self.agent, request.stats))
    }

    async fn update_lifecycle(&self, request: UpdateLifecycleRequest) -> Result<Lifecycle, Status> {
        let lifecycle = request
            .lifecycle
            .ok_or_else(|| Status::new("the lifecycle is missing"))?;
        let control = &self.state.control;
        let answer = control.agent_lifecycle_update(&self.agent, lifecycle);
        answer.await.map_err(refused)
    }

    async fn batch_update_app_healths(
        &self,
        request: BatchUpdateAppHealthRequest,
    ) -> Result<BatchUpdateAppHealthResponse, Status> {
        let control = &self.state.control;
        let done = control.agent_app_health_update(&self.agent, &request);
        done.await.map_err(refused)?;
        Ok(BatchUpdateAppHealthResponse {})
    }

    async fn update_startup(&self, request: UpdateStartupRequest) -> Result<Startup, Status> {
        let startup = request
            .startup
            .ok_or_else(|| Status::new("the startup is missing"))?;
        let control = &self.state.control;
        let answer = control.agent_startup_update(&self.agent, &self.api_version, startup);
        answer.await.map_err(refused)
    }

    async fn batch_update_metadata(
        &self,
        request: BatchUpdateMetadataRequest,
    ) -> Result<BatchUpdateMetadataResponse, Status> {
        let control = &self.state.control;
        let done = control.agent_metadata_update(&self.agent, request.metadata);
        done.await.map_err(refused)?;
        Ok(BatchUpdateMetadataResponse {})
    }

    async fn batch_create_logs(
        &self,
        request: BatchCreateLogsRequest,
    ) -> Result<BatchCreateLogsResponse, Status> {
        let control = &self.state.control;
        let outcome = control.agent_logs_append(&self.agent, request).await;
        Ok(BatchCreateLogsResponse {
            log_limit_exceeded: outcome.map_err(refused)? == LogsOutcome::LimitExceeded,
        })
    }

    async fn script_completed(
        &self,
        request: WorkspaceAgentScriptCompletedRequest,
    ) -> Result<WorkspaceAgentScriptCompletedResponse, Status> {
        let control = &self.state.control;
        let done = control.agent_script_completed(&self.agent, request.timing);
        done.await.map_err(refused)?;
        Ok(WorkspaceAgentScriptCompletedResponse {})
    }

    async fn get_resources_monitoring_configuration(
        &self,
        _: GetResourcesMonitoringConfigurationRequest,
    ) -> Result<GetResourcesMonitoringConfigurationResponse, Status> {
        let monitors = self.state.control.agent_monitors(&self.agent);
        monitors.await.map_err(refused)
    }

    async fn push_resources_monitoring_usage(
        &self,
        request: PushResourcesMonitoringUsageRequest,
    ) -> Result<PushResourcesMonitoringUsageResponse, Status> {
        let done = self
            .state
            .control
            .agent_monitors_push(&self.agent, &request);
        done.await.map_err(refused)?;
        Ok(PushResourcesMonitoringUsageResponse {})
    }

    async fn report_connection(&self, request: ReportConnectionRequest) -> Result<(), Status> {
        let control = &self.state.control;
        let done = control.agent_connection_report(&self.agent, request.connection);
        done.await.map_err(refused)
    }

    async fn create_sub_agent(
        &self,
        request: CreateSubAgentRequest,
    ) -> Result<CreateSubAgentResponse, Status> {
        let answer = self.state.control.sub_agent_create(&self.agent, request);
        answer.await.map_err(refused)
    }

    async fn delete_sub_agent(
        &self,
        request: DeleteSubAgentRequest,
    ) -> Result<DeleteSubAgentResponse, Status> {
        let done = self
            .state
            .control
            .sub_agent_delete(&self.agent, &request.id);
        done.await.map_err(refused)?;
        Ok(DeleteSubAgentResponse {})
    }

    async fn list_sub_agents(
        &self,
        _: ListSubAgentsRequest,
    ) -> Result<ListSubAgentsResponse, Status> {
        let list = self.state.control.sub_agent_list(&self.agent);
        list.await.map_err(refused)
    }

    async fn report_boundary_logs(
        &self,
        request: ReportBoundaryLogsRequest,
    ) -> Result<ReportBoundaryLogsResponse, Status> {
        if request.logs.len() > MAX_BOUNDARY_LOGS {
            return Err(Status::new(format!("more than {MAX_BOUNDARY_LOGS} logs")));
        }
        for log in &request.logs {
            tracing::info!(
                target: "boundary",
                workspace = %self.agent.workspace_id, session = %request.session_id,
                allowed = log.allowed, sequence = log.sequence_number, resource = ?log.resource,
                "agent firewall"
            );
        }
        Ok(ReportBoundaryLogsResponse {})
    }

    async fn update_app_status(
        &self,
        request: UpdateAppStatusRequest,
    ) -> Result<UpdateAppStatusResponse, Status> {
        let control = &self.state.control;
        let done = control.agent_app_status_update(&self.agent, &request);
        done.await.map_err(refused)?;
        Ok(UpdateAppStatusResponse {})
    }

    async fn push_context_state(
        &self,
        request: PushContextStateRequest,
    ) -> Result<PushContextStateResponse, Status> {
        let done = self.state.control.agent_context_push(&self.agent, request);
        done.await.map_err(refused)
    }
}
