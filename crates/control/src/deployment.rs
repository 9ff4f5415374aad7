//! Figures of the whole deployment.

use api_types::{
    DeploymentStats, SessionCountDeploymentStats, WorkspaceConnectionLatencyMS,
    WorkspaceDeploymentStats,
};
use authz::Subject;

use crate::{Control, Result};

/// Figures of traffic are of this long ago to now.
const WINDOW: chrono::Duration = chrono::Duration::minutes(15);
/// How soon asking again may tell something new.
const NEXT: chrono::Duration = chrono::Duration::seconds(30);

impl Control {
    /// Workspaces by state, traffic, sessions.
    pub async fn deployment_stats_read(&self, who: &Subject) -> Result<DeploymentStats> {
        let now = chrono::Utc::now();
        let since = now - WINDOW;
        let row = self
            .store()
            .conn()
            .await?
            .deployment_stats_read(who, since)
            .await?;
        Ok(DeploymentStats {
            aggregated_from: since,
            collected_at: now,
            next_update_at: now + NEXT,
            workspaces: WorkspaceDeploymentStats {
                pending: row.pending,
                building: row.building,
                running: row.running,
                failed: row.failed,
                stopped: row.stopped,
                connection_latency_ms: WorkspaceConnectionLatencyMS {
                    p50: row.latency_p50.unwrap_or_default(),
                    p95: row.latency_p95.unwrap_or_default(),
                },
                rx_bytes: row.rx_bytes,
                tx_bytes: row.tx_bytes,
            },
            session_count: SessionCountDeploymentStats {
                vscode: row.vscode,
                ssh: row.ssh,
                jetbrains: row.jetbrains,
                reconnecting_pty: row.reconnecting_pty,
            },
        })
    }
}
