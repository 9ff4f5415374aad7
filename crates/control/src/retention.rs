//! Deleting keys, audit entries and records of model calls that are past their retention.

use std::time::Duration;

use authz::{Subject, System};

use crate::{Control, Result};

/// Pause between looks.
const EVERY: Duration = Duration::from_mins(10);
/// Records of model calls deleted by one statement, so that none holds its locks for long.
const CALLS_AT_ONCE: i64 = 1000;

impl Control {
    /// Deletes from time to time, for ever.
    pub(crate) async fn retention_run(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            match self.retention_enforce(chrono::Utc::now()).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "deleted what is past its retention"),
                Err(error) => tracing::warn!(%error, "retention was not enforced"),
            }
        }
    }

    /// Deletes what is past its retention at `now`; how many rows.
    pub async fn retention_enforce(&self, now: chrono::DateTime<chrono::Utc>) -> Result<u64> {
        let who = Subject::system(System::Purge);
        let conn = self.store().conn().await?;
        let settings = self.settings();
        let mut rows = 0;
        if let Some(before) = before(now, settings.api_keys_retention) {
            rows += conn.api_keys_purge(&who, before).await?;
        }
        if let Some(before) = before(now, settings.audit_logs_retention) {
            rows += conn.audit_purge(&who, before).await?;
        }
        if let Some(before) = before(now, settings.ai_gateway_retention) {
            loop {
                let gone = conn.interception_purge(&who, before, CALLS_AT_ONCE).await?;
                rows += gone;
                if gone < CALLS_AT_ONCE.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(rows)
    }
}

/// The point in time before which things go; none if they stay for ever.
fn before(
    now: chrono::DateTime<chrono::Utc>,
    retention: Duration,
) -> Option<chrono::DateTime<chrono::Utc>> {
    let retention = Some(retention).filter(|kept| !kept.is_zero())?;
    now.checked_sub_signed(chrono::Duration::from_std(retention).ok()?)
}
