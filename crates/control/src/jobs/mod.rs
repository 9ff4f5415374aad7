//! Provisioner jobs on the database: handing them to daemons, taking what became of them,
//! and ending those whose daemon died.
//!
//! [`DatabaseJobs`] is the [`JobSource`] of the daemons in this process. Rows are the truth:
//! any replica may take a job, and any may end one that another left behind.

mod acquire;
mod complete;
mod complete_import;
mod convert;
mod fail;
mod lists;
mod reaper;
mod update;

pub use lists::{DaemonFilter, JobFilter};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use authz::{Subject, System};
use parking_lot::RwLock;
use provisioner::{FileKind, JobSource, SourceError};
use rpc::proto::provisionerd::{
    AcquiredJob, CommitQuotaRequest, CommitQuotaResponse, CompletedJob, FailedJob,
    UpdateJobRequest, UpdateJobResponse,
};
use sha2::{Digest as _, Sha256};
use store::provisioner_daemons::{BUILT_IN_KEY, NewDaemon};
use store::provisioner_jobs::JOB_POSTED;
use store::{OrganizationRef, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Control, Error};

/// How often daemons are noted as alive; a third of the time after which they count as gone.
const SEEN_EVERY: Duration = Duration::from_secs(30);

/// How often the queue is looked at without having been told of a new job.
const BACKUP_POLL: Duration = Duration::from_secs(30);

/// Level of the daemon protocol that the built-in daemons speak.
pub const PROVISIONER_API_VERSION: &str = "1.19";

/// The jobs of the database for the daemons of this process. Cheap to clone.
#[derive(Clone)]
pub struct DatabaseJobs {
    inner: Arc<Inner>,
}

struct Inner {
    control: Control,
    who: Subject,
    organization: Uuid,
    daemons: RwLock<HashMap<String, Uuid>>,
    posted: watch::Sender<()>,
}

impl DatabaseJobs {
    /// Announces daemons of these names, which take the jobs of the default organization.
    pub async fn register(
        control: &Control,
        names: &[String],
        version: &str,
    ) -> Result<Self, Error> {
        let who = Subject::system(System::Provisioner);
        let conn = control.store().conn().await?;
        let organization = conn
            .organization_read(&who, &OrganizationRef::Default)
            .await?
            .id;
        let replica_id = Uuid::new_v4();
        let mut daemons = HashMap::new();
        for name in names {
            let daemon = NewDaemon {
                organization_id: organization,
                key_id: BUILT_IN_KEY,
                name: name.clone(),
                provisioners: vec!["terraform".to_owned()],
                tags: untagged(),
                version: version.to_owned(),
                api_version: PROVISIONER_API_VERSION.to_owned(),
                replica_id,
            };
            daemons.insert(
                name.clone(),
                conn.provisioner_daemon_upsert(&who, &daemon).await?,
            );
        }
        let (posted, _) = watch::channel(());
        Ok(DatabaseJobs {
            inner: Arc::new(Inner {
                control: control.clone(),
                who,
                organization,
                daemons: RwLock::new(daemons),
                posted,
            }),
        })
    }

    fn control(&self) -> &Control {
        &self.inner.control
    }

    fn who(&self) -> &Subject {
        &self.inner.who
    }

    /// Ids of the daemons of this process.
    fn workers(&self) -> Vec<Uuid> {
        self.inner.daemons.read().values().copied().collect()
    }

    /// Wakes daemons when jobs are posted and notes them as alive, until cancelled; then
    /// marks them as gone.
    pub async fn run(&self, cancel: CancellationToken) {
        tokio::select! {
            () = self.listen() => {}
            () = self.stay_alive() => {}
            () = cancel.cancelled() => {}
        }
        let workers = self.workers();
        if let Ok(conn) = self.control().store().conn().await
            && let Err(error) = conn.provisioner_daemons_leave(self.who(), &workers).await
        {
            tracing::warn!(%error, "cannot mark the built-in provisioner daemons as gone");
        }
    }

    async fn listen(&self) {
        loop {
            match self.control().store().listen(JOB_POSTED).await {
                Ok(mut posted) => loop {
                    self.inner.posted.send_replace(());
                    posted.recv().await;
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot hear of new jobs yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn stay_alive(&self) {
        loop {
            tokio::time::sleep(SEEN_EVERY).await;
            let seen = async {
                let conn = self.control().store().conn().await?;
                conn.provisioner_daemons_seen(self.who(), &self.workers())
                    .await
            };
            if let Err(error) = seen.await {
                tracing::warn!(%error, "cannot note the provisioner daemons as alive");
            }
        }
    }
}

/// Tags of a daemon that takes untagged jobs.
fn untagged() -> std::collections::BTreeMap<String, String> {
    crate::templates::job_tags(Uuid::nil(), &std::collections::BTreeMap::new())
}

/// What a daemon is to do about a failed call.
fn source_error(error: impl Into<Error>) -> SourceError {
    let error = error.into();
    match error.kind {
        crate::Kind::Unavailable | crate::Kind::Conflict => {
            SourceError::Temporary(error.to_string())
        }
        crate::Kind::NotFound => SourceError::Gone("it is no longer in the database".to_owned()),
        _ => SourceError::Refused(error.to_string()),
    }
}

fn from_store(error: StoreError) -> SourceError {
    match error {
        StoreError::Retry => SourceError::Temporary("transactions collided".to_owned()),
        StoreError::Invalid(detail) => SourceError::Refused(detail),
        error => source_error(error),
    }
}

fn gone(job: Uuid) -> SourceError {
    SourceError::Gone(format!(
        "job {job} has ended or was given to another daemon"
    ))
}

fn job_id(text: &str) -> Result<Uuid, SourceError> {
    text.parse()
        .map_err(|_| SourceError::Refused(format!("{text:?} is no job id")))
}

impl JobSource for DatabaseJobs {
    async fn acquire(
        &self,
        daemon: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<AcquiredJob>, SourceError> {
        let worker = self.inner.daemons.read().get(daemon).copied();
        let worker = worker.ok_or_else(|| {
            SourceError::Refused(format!("no daemon is registered as {daemon:?}"))
        })?;
        let mut posted = self.inner.posted.subscribe();
        loop {
            posted.mark_unchanged();
            if cancel.is_cancelled() {
                return Ok(None);
            }
            if let Some(job) = self.try_acquire(worker).await? {
                return Ok(Some(job));
            }
            tokio::select! {
                _ = posted.changed() => {}
                () = tokio::time::sleep(BACKUP_POLL) => {}
                () = cancel.cancelled() => return Ok(None),
            }
        }
    }

    async fn update(&self, request: UpdateJobRequest) -> Result<UpdateJobResponse, SourceError> {
        self.update_job(request).await
    }

    async fn commit_quota(
        &self,
        request: CommitQuotaRequest,
    ) -> Result<CommitQuotaResponse, SourceError> {
        self.reserve_cost(&request).await
    }

    async fn complete(&self, job: CompletedJob) -> Result<(), SourceError> {
        self.complete_job(job).await
    }

    async fn fail(&self, job: FailedJob) -> Result<(), SourceError> {
        self.fail_job(job).await
    }

    async fn upload(&self, kind: FileKind, data: Vec<u8>) -> Result<(), SourceError> {
        let FileKind::Modules = kind;
        let hash = hex::encode(Sha256::digest(&data));
        let tx = self
            .control()
            .store()
            .begin(self.who())
            .await
            .map_err(from_store)?;
        let file = tx
            .provisioner_job_file_insert(self.who(), &hash, &data)
            .await;
        file.map_err(from_store)?;
        tx.commit().await.map_err(from_store)
    }

    async fn download(&self, kind: FileKind, file_id: &str) -> Result<Vec<u8>, SourceError> {
        let FileKind::Modules = kind;
        let id: Uuid = file_id
            .parse()
            .map_err(|_| SourceError::Refused(format!("{file_id:?} is no file id")))?;
        let conn = self.control().store().conn().await.map_err(from_store)?;
        conn.provisioner_job_file(self.who(), id)
            .await
            .map_err(from_store)
    }
}
