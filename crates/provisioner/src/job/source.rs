//! The trait between a daemon and whoever hands out jobs.

use std::future::Future;

use rpc::proto::provisionerd::{
    AcquiredJob, CommitQuotaRequest, CommitQuotaResponse, CompletedJob, FailedJob,
    UpdateJobRequest, UpdateJobResponse,
};
use tokio_util::sync::CancellationToken;

/// Why a call to a [`JobSource`] did not work.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The job is no longer this daemon's (reaped, completed elsewhere, deleted). The daemon
    /// stops working on it at once and reports nothing further.
    #[error("this job no longer belongs to this daemon: {0}")]
    Gone(String),
    /// The source could not be reached or was busy; the daemon tries again with backoff.
    #[error("the job queue is not reachable: {0}")]
    Temporary(String),
    /// The source refused the request for good; the text is shown as the job's error.
    #[error("{0}")]
    Refused(String),
}

/// What a file moved by [`JobSource::upload`] or [`JobSource::download`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A tar archive of `.terraform/modules`, written at import and read by builds.
    Modules,
}

/// A queue of provisioner jobs: hands out one job at a time and takes what became of it.
///
/// Every method may be called from several daemons at once. A daemon calls [`update`] at least
/// once per heartbeat interval while it holds a job, and ends each job by exactly one successful
/// [`complete`] or [`fail`], unless it is told [`SourceError::Gone`].
///
/// [`update`]: JobSource::update
/// [`complete`]: JobSource::complete
/// [`fail`]: JobSource::fail
pub trait JobSource: Send + Sync + 'static {
    /// Waits until there is a job for the daemon called `daemon` and takes it. Answers `None`
    /// when `cancel` fired first; a job that was already taken must then be put back or returned.
    fn acquire(
        &self,
        daemon: &str,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<Option<AcquiredJob>, SourceError>> + Send;

    /// Heartbeat that carries logs and, during an import, variables, tags and the readme. The
    /// answer says whether the job was cancelled, and gives the variable values for the import.
    fn update(
        &self,
        request: UpdateJobRequest,
    ) -> impl Future<Output = Result<UpdateJobResponse, SourceError>> + Send;

    /// Reserves the daily cost of a build. `ok == false` in the answer means the quota is used up.
    fn commit_quota(
        &self,
        request: CommitQuotaRequest,
    ) -> impl Future<Output = Result<CommitQuotaResponse, SourceError>> + Send;

    /// Ends a job that succeeded.
    fn complete(&self, job: CompletedJob) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Ends a job that failed or was cancelled. A build's `state` is the Terraform state as it is
    /// now; empty means that the previous state still holds.
    ///
    /// May also be called for a job that an earlier process of this machine left behind when it
    /// was killed: the state that its Terraform run wrote is then handed in late. A source that
    /// has ended the job meanwhile answers [`SourceError::Gone`], but should keep a newer state.
    fn fail(&self, job: FailedJob) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Stores a file that is too large to travel inside [`CompletedJob`].
    fn upload(
        &self,
        kind: FileKind,
        data: Vec<u8>,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Fetches a file named by a job, such as `Metadata::template_version_modules_file`.
    fn download(
        &self,
        kind: FileKind,
        file_id: &str,
    ) -> impl Future<Output = Result<Vec<u8>, SourceError>> + Send;
}
