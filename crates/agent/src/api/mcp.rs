//! Calls of tools of MCP servers that the workspace configures.

use std::sync::Arc;

use api_types::{CallMcpToolRequest, CallMcpToolResponse};
use axum::body::Body;
use axum::extract::State;
use axum::response::Json;
use http::StatusCode;

use super::body;
use super::failure::Failure;
use crate::mcp::ToolError;

pub async fn call(
    State(state): State<Arc<super::State>>,
    request: Body,
) -> Result<Json<CallMcpToolResponse>, Failure> {
    let request: CallMcpToolRequest = body::json(request).await?;
    let called = state.context.call_tool(&request).await;
    called.map(Json).map_err(|error| {
        let status = match error {
            ToolError::Name(_) => StatusCode::BAD_REQUEST,
            ToolError::Server(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_GATEWAY,
        };
        Failure::new(status, "MCP tool call failed.").because(error)
    })
}
