//! Ports and containers of the workspace.

use api_types::{
    Response, WorkspaceAgentListContainersResponse, WorkspaceAgentListeningPortsResponse,
};
use http::Method;

use super::AgentApi;
use super::git::Socket;
use crate::Error;
use crate::call::segment;

/// Watches the containers of a workspace.
pub struct ContainersWatch(Socket);

impl ContainersWatch {
    /// The next list; `None` when the agent has closed the socket.
    pub async fn next(&mut self) -> Option<Result<WorkspaceAgentListContainersResponse, Error>> {
        self.0.next().await
    }
}

impl AgentApi {
    /// TCP ports on which something in the workspace listens.
    pub async fn listening_ports(&self) -> Result<WorkspaceAgentListeningPortsResponse, Error> {
        self.get("/api/v0/listening-ports").decode().await
    }

    /// Containers beside the agent.
    pub async fn list_containers(&self) -> Result<WorkspaceAgentListContainersResponse, Error> {
        self.get("/api/v0/containers").decode().await
    }

    /// Watches containers beside the agent.
    pub async fn watch_containers(&self) -> Result<ContainersWatch, Error> {
        let call = self.get("/api/v0/containers/watch");
        Socket::open(call).await.map(ContainersWatch)
    }

    /// Rebuilds a dev container.
    pub async fn recreate_devcontainer(&self, id: &str) -> Result<Response, Error> {
        let path = format!("/api/v0/containers/devcontainers/{}/recreate", segment(id));
        self.post(&path).decode().await
    }

    /// Deletes a dev container.
    pub async fn delete_devcontainer(&self, id: &str) -> Result<(), Error> {
        let path = format!("/api/v0/containers/devcontainers/{}", segment(id));
        self.call(Method::DELETE, &path).send().await.map(drop)
    }
}
