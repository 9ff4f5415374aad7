//! Deleting what agents reported long ago.

use std::time::Duration;

use authz::{Subject, System};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::{Control, Result};

/// Time between looks.
const INTERVAL: Duration = Duration::from_mins(10);
/// How long statistics are kept.
const STATS_RETENTION: TimeDelta = TimeDelta::days(180);

impl Control {
    /// Deletes from time to time what is past its retention, until told to end.
    pub async fn agents_run(&self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            match self.agents_purge(Utc::now()).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "old reports of agents deleted"),
                Err(error) => tracing::warn!(%error, "old reports of agents are not deleted yet"),
            }
        }
    }

    /// Deletes the logs of agents of old builds and old statistics; how many rows.
    pub async fn agents_purge(&self, now: DateTime<Utc>) -> Result<u64> {
        let who = Subject::system(System::Purge);
        let conn = self.store().conn().await?;
        let mut rows = conn.agent_stats_purge(&who, now - STATS_RETENTION).await?;
        let kept = self.settings().workspace_agent_logs_retention;
        if !kept.is_zero()
            && let Ok(kept) = TimeDelta::from_std(kept)
        {
            rows += conn.agent_logs_purge(&who, now - kept).await?;
        }
        Ok(rows)
    }
}
