//! What jobs print: appended by daemons in batches, read by those who follow a job.

use api_types::ProvisionerJobLog;
use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// Channel on which the id of a job is announced when its log grew or it ended.
pub const JOB_LOGS: &str = "job_logs";

/// Bytes of output that one job may leave; a runaway build must not fill the database.
pub const MAX_JOB_OUTPUT: i32 = 1 << 20;

/// Most lines that one read answers; followers ask again for the rest.
pub const MAX_LOG_ROWS: i64 = 5000;

/// A line to append.
#[derive(Debug, Clone)]
pub struct NewLog {
    /// When it was printed.
    pub created_at: DateTime<Utc>,
    /// `provisioner_daemon` or `provisioner`.
    pub source: &'static str,
    /// `trace` to `error`.
    pub level: &'static str,
    /// The stage that it belongs to.
    pub stage: String,
    /// The line.
    pub output: String,
}

/// Which lines to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogRange {
    /// Only lines with a greater id.
    pub after: Option<i64>,
    /// Only lines with a smaller id.
    pub before: Option<i64>,
}

impl Conn {
    /// Lines of a job in order, at most [`MAX_LOG_ROWS`]. The caller has already been
    /// allowed to see what the job belongs to.
    pub async fn provisioner_job_logs(
        &self,
        job: Uuid,
        range: LogRange,
    ) -> Result<Vec<ProvisionerJobLog>, StoreError> {
        let rows = self
            .query(
                "SELECT id, created_at, source, level, stage, output FROM provisioner_job_logs
                 WHERE job_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4",
                &[
                    &job,
                    &range.after.unwrap_or(0),
                    &range.before.unwrap_or(i64::MAX),
                    &MAX_LOG_ROWS,
                ],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                Ok(ProvisionerJobLog {
                    id: cols.next()?,
                    created_at: cols.next()?,
                    log_source: cols.text()?,
                    log_level: cols.text()?,
                    stage: cols.next()?,
                    output: cols.next()?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Appends lines to a job and counts them as a sign of life. What goes beyond
    /// [`MAX_JOB_OUTPUT`] is left out, and one line says so. Answers whether somebody asked
    /// to cancel the job; `None`: it is no longer held by any of `workers`.
    pub async fn provisioner_job_logs_append(
        &self,
        who: &Subject,
        job: Uuid,
        workers: &[Uuid],
        logs: &[NewLog],
    ) -> Result<Option<bool>, StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        let bytes: i64 = logs.iter().map(|l| l.output.len() as i64).sum();
        let row = self
            .query_opt(
                "UPDATE provisioner_jobs j
                 SET updated_at = now(), logs_length = least(old.logs_length + $3::bigint, $4::bigint)::int,
                     logs_overflowed = old.logs_overflowed OR old.logs_length + $3::bigint > $4::bigint
                 FROM (SELECT id, logs_length, logs_overflowed FROM provisioner_jobs
                       WHERE id = $1 FOR UPDATE) old
                 WHERE j.id = old.id AND j.worker_id = ANY($2) AND j.completed_at IS NULL
                 RETURNING j.canceled_at IS NOT NULL, old.logs_length, old.logs_overflowed",
                &[&job, &workers, &bytes, &i64::from(MAX_JOB_OUTPUT)],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (canceled, length, overflowed): (bool, i32, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if !overflowed {
            let mut room = (MAX_JOB_OUTPUT - length).max(0) as usize;
            let fit = logs
                .iter()
                .take_while(|l| {
                    let fits = l.output.len() <= room;
                    room = room.saturating_sub(l.output.len());
                    fits
                })
                .count();
            self.insert_logs(job, &logs[..fit]).await?;
            if fit < logs.len() {
                let stage = logs[fit].stage.clone();
                self.insert_logs(job, &[overflow_line(stage)]).await?;
            }
            self.notify(JOB_LOGS, &job.to_string()).await?;
        }
        Ok(Some(canceled))
    }

    /// Appends lines to a job that nobody holds any more: what the system has to say of it.
    pub async fn provisioner_job_logs_note(
        &self,
        who: &Subject,
        job: Uuid,
        logs: &[NewLog],
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        self.insert_logs(job, logs).await?;
        self.notify(JOB_LOGS, &job.to_string()).await
    }

    async fn insert_logs(&self, job: Uuid, logs: &[NewLog]) -> Result<(), StoreError> {
        if logs.is_empty() {
            return Ok(());
        }
        let at: Vec<DateTime<Utc>> = logs.iter().map(|l| l.created_at).collect();
        let source: Vec<&str> = logs.iter().map(|l| l.source).collect();
        let level: Vec<&str> = logs.iter().map(|l| l.level).collect();
        let stage: Vec<&str> = logs.iter().map(|l| l.stage.as_str()).collect();
        let output: Vec<&str> = logs.iter().map(|l| l.output.as_str()).collect();
        self.execute(
            "INSERT INTO provisioner_job_logs (job_id, created_at, source, level, stage, output)
             SELECT $1, l.at, l.source, l.level, l.stage, l.output
             FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
                  WITH ORDINALITY AS l (at, source, level, stage, output, n)
             ORDER BY l.n",
            &[&job, &at, &source, &level, &stage, &output],
        )
        .await?;
        Ok(())
    }
}

fn overflow_line(stage: String) -> NewLog {
    NewLog {
        created_at: Utc::now(),
        source: "provisioner_daemon",
        level: "warn",
        stage,
        output: format!(
            "The job has printed more than {MAX_JOB_OUTPUT} bytes: further output is not kept."
        ),
    }
}
