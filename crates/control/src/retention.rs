//! Deleting keys, audit entries, records of model calls and chats that are past their retention, and
//! putting chats away that were left alone.

use std::time::Duration;

use authz::{Subject, System};

use crate::{Control, Result};

/// Pause between looks.
const EVERY: Duration = Duration::from_mins(10);
/// Looks between two at chats that were left alone.
const LOOKS_PER_HOUR: u32 = 6;
/// Records of model calls deleted by one statement, so that none holds its locks for long.
const CALLS_AT_ONCE: i64 = 1000;

impl Control {
    /// Deletes from time to time, for ever.
    pub(crate) async fn retention_run(&self) {
        let mut looks = 0_u32;
        loop {
            tokio::time::sleep(EVERY).await;
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS_PER_HOUR) {
                match self.chats_auto_archive(chrono::Utc::now()).await {
                    Ok(archived) => self.chats_archived_tell(&archived).await,
                    Err(error) => tracing::warn!(%error, "chats were not put away by time"),
                }
            }
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
        drop(conn);
        rows += self.chat_retention_enforce(now).await?;
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
