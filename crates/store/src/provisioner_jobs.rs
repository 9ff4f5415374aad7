//! Provisioner jobs: the queue that daemons take work from, and how jobs end.

use std::collections::BTreeMap;

use api_types::{
    ProvisionerJob, ProvisionerJobInput, ProvisionerJobMetadata, ProvisionerJobStatus,
};
use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// Channel on which the id of a new job is announced.
pub const JOB_POSTED: &str = "job_posted";

/// Columns of a job `j` and its worker `d`, read by [`job`]. The queue is counted only
/// for jobs that wait in it.
macro_rules! job_columns {
    () => {
        "j.id, j.created_at, j.started_at, j.completed_at, j.canceled_at, coalesce(j.error, ''), \
         coalesce(j.error_code, ''), j.job_status, j.worker_id, coalesce(d.name, ''), j.file_id, \
         j.tags, \
         CASE WHEN j.job_status = 'pending' THEN (SELECT count(*) FROM provisioner_jobs q \
            WHERE q.job_status = 'pending' AND q.organization_id = j.organization_id \
            AND q.tags = j.tags AND q.created_at <= j.created_at) ELSE 0 END, \
         CASE WHEN j.job_status = 'pending' THEN (SELECT count(*) FROM provisioner_jobs q \
            WHERE q.job_status = 'pending' AND q.organization_id = j.organization_id \
            AND q.tags = j.tags) ELSE 0 END, \
         j.organization_id, j.initiator_id, j.input, j.type, j.logs_overflowed"
    };
}
pub(crate) use job_columns;

/// Reads the columns of `job_columns!`.
pub(crate) fn job(cols: &mut Cols<'_>) -> Result<ProvisionerJob, StoreError> {
    Ok(ProvisionerJob {
        id: cols.next()?,
        created_at: cols.next()?,
        started_at: cols.next()?,
        completed_at: cols.next()?,
        canceled_at: cols.next()?,
        error: cols.next()?,
        error_code: cols.text()?,
        status: cols.text()?,
        worker_id: cols.next()?,
        worker_name: cols.next()?,
        file_id: cols.next()?,
        tags: cols.next::<Json<BTreeMap<String, String>>>()?.0,
        queue_position: cols.next()?,
        queue_size: cols.next()?,
        organization_id: cols.next()?,
        initiator_id: cols.next()?,
        input: cols.next::<Json<ProvisionerJobInput>>()?.0,
        r#type: cols.text()?,
        logs_overflowed: cols.next()?,
        ..ProvisionerJob::default()
    })
}

/// A job to put into the queue.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: Uuid,
    /// The organization whose daemons may take it.
    pub organization_id: Uuid,
    /// On whose behalf it runs.
    pub initiator_id: Uuid,
    /// `terraform`.
    pub provisioner: String,
    /// `template_version_import`, `workspace_build` or `template_version_dry_run`.
    pub kind: &'static str,
    /// The template's archive.
    pub file_id: Uuid,
    /// What a daemon must offer.
    pub tags: BTreeMap<String, String>,
    /// What to do; its shape depends on the kind.
    pub input: Value,
}

/// A job that a daemon has just taken.
#[derive(Debug, Clone)]
pub struct AcquiredJob {
    /// Its id.
    pub id: Uuid,
    /// When it was put into the queue.
    pub created_at: DateTime<Utc>,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// On whose behalf it runs.
    pub initiator_id: Uuid,
    /// `terraform`.
    pub provisioner: String,
    /// Its kind, as in [`NewJob`].
    pub kind: String,
    /// The template's archive.
    pub file_id: Uuid,
    /// What to do.
    pub input: Value,
}

/// What a daemon can do.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The daemon.
    pub worker_id: Uuid,
    /// Its organization.
    pub organization_id: Uuid,
    /// Provisioners that it runs.
    pub provisioners: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A job locked for being ended.
#[derive(Debug, Clone)]
pub struct OpenJob {
    /// Its id.
    pub id: Uuid,
    /// Its kind, as in [`NewJob`].
    pub kind: String,
    /// What it was to do.
    pub input: Value,
    /// The daemon that holds it.
    pub worker_id: Option<Uuid>,
    /// How it stands now.
    pub status: ProvisionerJobStatus,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// On whose behalf it runs.
    pub initiator_id: Uuid,
    /// When it was last changed, or its daemon last gave a sign of life.
    pub updated_at: DateTime<Utc>,
}

/// How a job ends.
#[derive(Debug, Clone, Default)]
pub struct JobEnd {
    /// Why it failed; `None` when it did not.
    pub error: Option<String>,
    /// A code that clients act on.
    pub error_code: Option<String>,
    /// Forget that somebody asked to cancel: the job had run to its end by then.
    pub clear_cancel: bool,
}

/// A job that has not ended, with its last sign of life.
#[derive(Debug, Clone)]
pub struct JobPulse {
    /// The job.
    pub id: Uuid,
    /// When it was last heard of.
    pub updated_at: DateTime<Utc>,
    /// When it was put into the queue.
    pub created_at: DateTime<Utc>,
    /// Whether a daemon has taken it.
    pub started: bool,
    /// Whether the daemon that took it runs inside a server process, which beats fast.
    pub built_in: bool,
}

fn object(organization: Uuid) -> Object {
    Object::new(ResourceType::ProvisionerJobs).org(organization)
}

/// Which jobs of an organization to list.
#[derive(Debug, Clone, Default)]
pub struct ProvisionerJobFilter {
    /// Only these.
    pub ids: Vec<Uuid>,
    /// Only those of these states.
    pub status: Vec<String>,
    /// Only those started by this user.
    pub initiator: Option<Uuid>,
    /// How many.
    pub limit: i64,
}

/// A job with what it works for.
macro_rules! described_job {
    () => {
        concat!(
            "SELECT ",
            job_columns!(),
            ", coalesce(tv.name, ''), t.id, coalesce(t.name, ''), coalesce(t.display_name, ''), \
              coalesce(t.icon, ''), w.id, coalesce(w.name, ''), coalesce(b.transition, ''), \
              ARRAY(SELECT p.id FROM provisioner_daemons p \
                    WHERE j.job_status = 'pending' AND p.organization_id = j.organization_id \
                      AND p.last_seen_at > now() - interval '90 seconds' AND p.tags @> j.tags) \
             FROM provisioner_jobs j LEFT JOIN provisioner_daemons d ON d.id = j.worker_id \
             LEFT JOIN workspace_builds b ON b.job_id = j.id \
             LEFT JOIN workspaces w ON w.id = b.workspace_id \
             LEFT JOIN template_versions tv ON tv.id = coalesce(b.template_version_id, \
                  (j.input ->> 'template_version_id')::uuid) \
             LEFT JOIN templates t ON t.id = tv.template_id "
        )
    };
}

fn described(row: &tokio_postgres::Row) -> Result<ProvisionerJob, StoreError> {
    let mut cols = Cols::new(row);
    let mut job = job(&mut cols)?;
    job.metadata = ProvisionerJobMetadata {
        template_version_name: cols.next()?,
        template_id: cols.next::<Option<Uuid>>()?.unwrap_or_default(),
        template_name: cols.next()?,
        template_display_name: cols.next()?,
        template_icon: cols.next()?,
        workspace_id: cols.next()?,
        workspace_name: cols.next()?,
        workspace_build_transition: cols.text()?,
    };
    job.available_workers = cols.next()?;
    Ok(job)
}

impl Conn {
    /// One job of an organization.
    pub async fn provisioner_job_read(
        &self,
        who: &Subject,
        organization: Uuid,
        id: Uuid,
    ) -> Result<ProvisionerJob, StoreError> {
        authorize(who, Action::Read, &object(organization)).map_err(|_| StoreError::NotFound)?;
        let sql = concat!(
            described_job!(),
            "WHERE j.id = $1 AND j.organization_id = $2"
        );
        let row = self
            .query_opt(sql, &[&id, &organization])
            .await?
            .ok_or(StoreError::NotFound)?;
        described(&row)
    }

    /// Jobs of an organization, newest first.
    pub async fn provisioner_job_list(
        &self,
        who: &Subject,
        organization: Uuid,
        by: &ProvisionerJobFilter,
    ) -> Result<Vec<ProvisionerJob>, StoreError> {
        authorize(who, Action::Read, &object(organization)).map_err(|_| StoreError::NotFound)?;
        let sql = concat!(
            described_job!(),
            "WHERE j.organization_id = $1 AND (cardinality($2::uuid[]) = 0 OR j.id = ANY($2)) \
               AND (cardinality($3::text[]) = 0 OR j.job_status = ANY($3)) \
               AND ($4::uuid IS NULL OR j.initiator_id = $4) \
             ORDER BY j.created_at DESC, j.id LIMIT $5"
        );
        let rows = self
            .query(
                sql,
                &[&organization, &by.ids, &by.status, &by.initiator, &by.limit],
            )
            .await?;
        rows.iter().map(described).collect()
    }

    /// How a job stands, for following its log. The caller has already been allowed to see
    /// what the job belongs to.
    pub async fn provisioner_job_status(
        &self,
        id: Uuid,
    ) -> Result<ProvisionerJobStatus, StoreError> {
        let row = self
            .query_opt(
                "SELECT job_status FROM provisioner_jobs WHERE id = $1",
                &[&id],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        Ok(row.try_get::<_, &str>(0)?.into())
    }

    /// Takes the oldest waiting job that the offer matches. Jobs that other daemons are
    /// just taking are passed over, so no daemon ever waits for another.
    ///
    /// Untagged jobs go to untagged daemons only; tagged ones to daemons with at least
    /// their tags.
    pub async fn provisioner_job_acquire(
        &self,
        who: &Subject,
        offer: &Offer,
    ) -> Result<Option<AcquiredJob>, StoreError> {
        authorize(who, Action::Update, &object(offer.organization_id))?;
        let tags = Json(&offer.tags);
        let row = self
            .query_opt(
                "UPDATE provisioner_jobs SET started_at = now(), updated_at = now(), worker_id = $1
                 WHERE id = (
                     SELECT j.id FROM provisioner_jobs j
                     WHERE j.job_status = 'pending' AND j.organization_id = $2
                       AND j.provisioner = ANY($3)
                       AND CASE WHEN j.tags = '{\"scope\": \"organization\", \"owner\": \"\"}'::jsonb
                                THEN j.tags = $4 ELSE $4 @> j.tags END
                     ORDER BY j.created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                 RETURNING id, created_at, organization_id, initiator_id, provisioner, type,
                           file_id, input",
                &[&offer.worker_id, &offer.organization_id, &offer.provisioners, &tags],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut cols = Cols::new(&row);
        Ok(Some(AcquiredJob {
            id: cols.next()?,
            created_at: cols.next()?,
            organization_id: cols.next()?,
            initiator_id: cols.next()?,
            provisioner: cols.next()?,
            kind: cols.next()?,
            file_id: cols.next()?,
            input: cols.next()?,
        }))
    }

    /// Puts a job back that was taken but not begun.
    pub async fn provisioner_job_release(
        &self,
        who: &Subject,
        id: Uuid,
        worker: Uuid,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        self.execute(
            "UPDATE provisioner_jobs SET started_at = NULL, worker_id = NULL, updated_at = now()
             WHERE id = $1 AND worker_id = $2 AND completed_at IS NULL AND canceled_at IS NULL",
            &[&id, &worker],
        )
        .await?;
        Ok(())
    }

    /// Notes a sign of life of a running job; answers whether somebody asked to cancel it.
    /// `None`: the job is no longer held by any of `workers`.
    pub async fn provisioner_job_heartbeat(
        &self,
        who: &Subject,
        id: Uuid,
        workers: &[Uuid],
    ) -> Result<Option<bool>, StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        let row = self
            .query_opt(
                "UPDATE provisioner_jobs SET updated_at = now()
                 WHERE id = $1 AND worker_id = ANY($2) AND completed_at IS NULL
                 RETURNING canceled_at IS NOT NULL",
                &[&id, &workers],
            )
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Every job that has not ended.
    pub async fn provisioner_jobs_open(&self, who: &Subject) -> Result<Vec<JobPulse>, StoreError> {
        authorize(
            who,
            Action::Read,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        let rows = self
            .query(
                "SELECT j.id, j.updated_at, j.created_at, j.started_at IS NOT NULL,
                        coalesce(d.key_id = $1, false)
                 FROM provisioner_jobs j LEFT JOIN provisioner_daemons d ON d.id = j.worker_id
                 WHERE j.job_status IN ('pending', 'running', 'canceling')",
                &[&crate::provisioner_daemons::BUILT_IN_KEY],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                Ok(JobPulse {
                    id: cols.next()?,
                    updated_at: cols.next()?,
                    created_at: cols.next()?,
                    started: cols.next()?,
                    built_in: cols.next()?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Puts a job into the queue and announces it; daemons see it when the transaction
    /// commits. The right to do so is that of the build, import or dry run it is for.
    pub async fn provisioner_job_insert(&self, job: &NewJob) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO provisioner_jobs
                 (id, created_at, updated_at, organization_id, initiator_id, provisioner, type,
                  file_id, tags, input)
             VALUES ($1, clock_timestamp(), clock_timestamp(), $2, $3, $4, $5, $6, $7, $8)",
            &[
                &job.id,
                &job.organization_id,
                &job.initiator_id,
                &job.provisioner,
                &job.kind,
                &job.file_id,
                &Json(&job.tags),
                &job.input,
            ],
        )
        .await?;
        self.notify(JOB_POSTED, &job.id.to_string()).await
    }

    /// Locks a job for being ended or cancelled.
    pub async fn provisioner_job_lock(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<OpenJob, StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        let row = self
            .query_opt(
                "SELECT id, type, input, worker_id, job_status, organization_id, initiator_id,
                        updated_at
                 FROM provisioner_jobs WHERE id = $1 FOR UPDATE",
                &[&id],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut cols = Cols::new(&row);
        Ok(OpenJob {
            id: cols.next()?,
            kind: cols.next()?,
            input: cols.next()?,
            worker_id: cols.next()?,
            status: cols.text()?,
            organization_id: cols.next()?,
            initiator_id: cols.next()?,
            updated_at: cols.next()?,
        })
    }

    /// Ends a job and wakes those who follow its log. The caller holds its lock.
    pub async fn provisioner_job_end(
        &self,
        who: &Subject,
        id: Uuid,
        end: &JobEnd,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        self.execute(
            "UPDATE provisioner_jobs
             SET updated_at = now(), completed_at = now(), error = $2, error_code = $3,
                 canceled_at = CASE WHEN $4 THEN NULL ELSE canceled_at END
             WHERE id = $1",
            &[&id, &end.error, &end.error_code, &end.clear_cancel],
        )
        .await?;
        self.notify(crate::provisioner_job_logs::JOB_LOGS, &id.to_string())
            .await
    }

    /// Marks a job as to be cancelled; one that no daemon has taken ends at once. Answers
    /// how it stood before. The right to do so is that of the build, import or dry run.
    pub async fn provisioner_job_cancel(
        &self,
        id: Uuid,
    ) -> Result<ProvisionerJobStatus, StoreError> {
        let row = self
            .query_opt(
                "SELECT job_status FROM provisioner_jobs WHERE id = $1 FOR UPDATE",
                &[&id],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        let before: ProvisionerJobStatus = row.try_get::<_, &str>(0)?.into();
        if matches!(
            before,
            ProvisionerJobStatus::Pending | ProvisionerJobStatus::Running
        ) {
            self.execute(
                "UPDATE provisioner_jobs
                 SET canceled_at = now(), updated_at = now(),
                     completed_at = CASE WHEN worker_id IS NULL THEN now() END
                 WHERE id = $1",
                &[&id],
            )
            .await?;
            self.notify(crate::provisioner_job_logs::JOB_LOGS, &id.to_string())
                .await?;
        }
        Ok(before)
    }
}
