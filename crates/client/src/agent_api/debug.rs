//! What people need who look for a fault.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::AgentApi;
use crate::Error;

/// The largest log: agents stop at 100 MiB.
const MAX_LOGS: usize = 110 << 20;
/// The largest other text.
const MAX_TEXT: usize = 16 << 20;

impl AgentApi {
    /// The agent's log; with a time, also older files that were written to since.
    pub async fn debug_logs(&self, after: Option<DateTime<Utc>>) -> Result<Bytes, Error> {
        let mut call = self.get("/debug/logs");
        if let Some(after) = after {
            let after = after.to_rfc3339_opts(SecondsFormat::Nanos, true);
            call = call.query("after", after);
        }
        call.read(MAX_LOGS).await
    }

    /// What the agent's end of the tunnel knows.
    pub async fn debug_tunnel(&self) -> Result<Bytes, Error> {
        self.get("/debug/magicsock").read(MAX_TEXT).await
    }

    /// The agent's manifest without secrets.
    pub async fn debug_manifest(&self) -> Result<Value, Error> {
        self.get("/debug/manifest").decode().await
    }

    /// The agent's metrics in the text format of Prometheus.
    pub async fn prometheus_metrics(&self) -> Result<Bytes, Error> {
        self.get("/debug/prometheus").read(MAX_TEXT).await
    }

    /// The agent's report about its network.
    pub async fn netcheck(&self) -> Result<Value, Error> {
        self.get("/api/v0/netcheck").decode().await
    }
}
