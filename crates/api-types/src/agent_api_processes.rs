//! Processes that a workspace runs on request: bodies of the agent's own HTTP API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `StartProcessRequest`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartProcessRequest {
    pub command: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workdir: String,
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub background: bool,
}

/// `StartProcessResponse`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartProcessResponse {
    pub id: String,
    pub started: bool,
}

/// `ListProcessesResponse`: running ones first, then the latest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListProcessesResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub processes: Vec<ProcessInfo>,
}

/// `ProcessInfo`; times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessInfo {
    pub id: String,
    pub command: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workdir: String,
    pub background: bool,
    pub running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    pub started_at_unix: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exited_at_unix: Option<i64>,
}

/// `ProcessOutputResponse`: the beginning and the end of what a process wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessOutputResponse {
    pub output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<ProcessTruncation>,
    pub running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
}

/// `ProcessTruncation`: how much of an output is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessTruncation {
    pub original_bytes: u64,
    pub retained_bytes: u64,
    pub omitted_bytes: u64,
    pub strategy: String,
}

/// `SignalProcessRequest`: `kill` or `terminate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignalProcessRequest {
    pub signal: String,
}
