//! What a workspace tells AI agents about itself (instructions, skills, tools): bodies of the
//! agent's own HTTP API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// `ContextConfigResponse`: instruction files and skills as parts of a chat message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextConfigResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub parts: Vec<ContextPart>,
}

/// The parts of a chat message that an agent gives: of type `context-file` or `skill`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextPart {
    pub r#type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub context_file_path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub context_file_content: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub context_file_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_file_agent_id: Option<Uuid>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill_description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill_dir: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub context_file_skill_meta_file: String,
}

/// A directory or file that is searched for context; also the request that adds one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextSource {
    pub path: String,
}

/// `SnapshotResponse`: everything found at one time, without the texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextSnapshot {
    pub version: u64,
    pub aggregate_hash: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub resources: Vec<ContextResource>,
    pub payload_bytes: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub snapshot_error: String,
}

/// `SnapshotResource`: one thing that was found. Kinds are `instruction_file`, `skill`,
/// `mcp_config`, `mcp_server`; states `ok`, `oversize`, `unreadable`, `invalid`, `excluded`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextResource {
    pub id: String,
    pub kind: String,
    pub source: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_path: String,
    pub content_hash: String,
    pub size_bytes: u64,
    pub status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// `CallMCPToolRequest`: a tool by `server__tool`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallMcpToolRequest {
    pub tool_name: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub arguments: Map<String, Value>,
}

/// `CallMCPToolResponse`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallMcpToolResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub content: Vec<McpToolContent>,
    pub is_error: bool,
}

/// `MCPToolContent`: `text`, or base64 `data` of an `image`, `audio` or `resource`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct McpToolContent {
    pub r#type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub media_type: String,
}
