//! How long the steps of a job took.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{StoreError, Tx};

/// Timing of a step of a job.
#[derive(Debug, Clone)]
pub struct NewTiming {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// `init`, `plan`, `graph` or `apply`.
    pub stage: String,
    /// What did it: a provider, or `coder`.
    pub source: String,
    /// What was done.
    pub action: String,
    /// To which resource.
    pub resource: String,
}

impl Tx {
    /// Adds the timings of a job.
    pub async fn provisioner_job_timings_insert(
        &self,
        job: Uuid,
        timings: &[NewTiming],
    ) -> Result<(), StoreError> {
        if timings.is_empty() {
            return Ok(());
        }
        let started: Vec<_> = timings.iter().map(|t| t.started_at).collect();
        let ended: Vec<_> = timings.iter().map(|t| t.ended_at).collect();
        let stage: Vec<&str> = timings.iter().map(|t| t.stage.as_str()).collect();
        let source: Vec<&str> = timings.iter().map(|t| t.source.as_str()).collect();
        let action: Vec<&str> = timings.iter().map(|t| t.action.as_str()).collect();
        let resource: Vec<&str> = timings.iter().map(|t| t.resource.as_str()).collect();
        self.execute(
            "INSERT INTO provisioner_job_timings
                 (job_id, started_at, ended_at, stage, source, action, resource)
             SELECT $1, * FROM unnest($2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[],
                                      $6::text[], $7::text[])",
            &[&job, &started, &ended, &stage, &source, &action, &resource],
        )
        .await?;
        Ok(())
    }
}
