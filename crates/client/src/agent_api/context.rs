//! What the workspace tells AI agents about itself, and tools that run in it.

use std::time::Duration;

use api_types::{
    CallMcpToolRequest, CallMcpToolResponse, ContextConfigResponse, ContextSnapshot, ContextSource,
};
use http::Method;

use super::AgentApi;
use crate::Error;
use crate::call::segment;

/// An agent gives a tool a minute, after half a minute for its server to start.
const TOOL: Duration = Duration::from_secs(100);

impl AgentApi {
    /// Instruction files and skills.
    pub async fn context_config(&self) -> Result<ContextConfigResponse, Error> {
        self.get("/api/v0/context-config").decode().await
    }

    /// Places that were added to those searched for context.
    pub async fn context_sources(&self) -> Result<Vec<ContextSource>, Error> {
        self.get("/api/v0/context/sources").decode().await
    }

    /// Adds a place to search.
    pub async fn add_context_source(&self, source: &ContextSource) -> Result<ContextSource, Error> {
        self.post("/api/v0/context/sources")
            .json(source)?
            .decode()
            .await
    }

    /// Removes a place to search.
    pub async fn remove_context_source(&self, path: &str) -> Result<(), Error> {
        let path = format!("/api/v0/context/sources/{}", segment(path));
        self.call(Method::DELETE, &path).send().await.map(drop)
    }

    /// Searches anew.
    pub async fn resync_context(&self) -> Result<ContextSnapshot, Error> {
        self.post("/api/v0/context/resync").decode().await
    }

    /// Calls a tool of an MCP server that the workspace configures.
    pub async fn call_mcp_tool(
        &self,
        request: &CallMcpToolRequest,
    ) -> Result<CallMcpToolResponse, Error> {
        self.post("/api/v0/mcp/call-tool")
            .json(request)?
            .patience(TOOL)
            .decode()
            .await
    }
}
