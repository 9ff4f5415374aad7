//! Figures of the whole deployment.

use api_types::{
    DausResponse, DeploymentStats, SessionCountDeploymentStats, WorkspaceConnectionLatencyMS,
    WorkspaceDeploymentStats,
};
use authz::{Action, Object, ResourceType, Subject, System};
use store::{AuditAction, AuditDiff, AuditEntry};

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
            .deployment_stats_read(who, since, self.settings().usage_by_clients)
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

    /// Users a day, of all templates.
    pub async fn deployment_daily_users(&self, who: &Subject, offset: i32) -> Result<DausResponse> {
        let object = Object::new(ResourceType::DeploymentConfig);
        who.may(Action::Read, &object)?;
        self.daily_users(None, offset).await
    }

    /// A setting of the deployment that is kept in the database.
    pub async fn setting_read(&self, key: &str) -> Result<Option<String>> {
        let system = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        Ok(conn.site_config_read(&system, key).await?)
    }

    /// Changes such a setting; `noun` is what the audit log calls it.
    pub async fn setting_set(
        &self,
        who: &Subject,
        key: &str,
        noun: &'static str,
        value: &str,
    ) -> Result<()> {
        let system = Subject::system(System::Core);
        let tx = self.store().begin(who).await?;
        let old = tx.site_config_read(&system, key).await?;
        tx.site_config_set(who, key, value).await?;
        let facts = |text: Option<&str>| serde_json::json!({"value": text});
        let diff = AuditDiff::between(&facts(old.as_deref()), &facts(Some(value)), &["value"], &[]);
        let entry = AuditEntry::new(AuditAction::Write, noun, uuid::Uuid::nil(), key);
        tx.audit(entry.diff(diff)).await?;
        Ok(tx.commit().await?)
    }
}
