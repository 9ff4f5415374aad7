//! Following a job of a provisioner to its end.

use std::time::Duration;

use anyhow::{Context, Result};
use api_types::{ProvisionerJob, ProvisionerJobLog, ProvisionerJobStatus, WorkspaceBuild};
use chrono::Utc;
use client::{Client, Error, JsonSocket};
use uuid::Uuid;

use crate::failure::Exit;
use crate::follow::interrupts::{INTERRUPTED, Interrupts};
use crate::follow::stages::Stages;
use crate::session::Session;

/// A job that shows no log line for so long is waiting in the queue: say so.
const QUEUE_NOTICE: Duration = Duration::from_millis(500);
/// How often to ask where in the queue the job stands.
const QUEUE_POLL: Duration = Duration::from_secs(1);
/// Wait before a log that broke off is opened again.
const RETRY: Duration = Duration::from_millis(500);
/// Attempts in a row without any answer before giving up: the time of a server
/// restart, generously.
const RETRIES: u32 = 120;

/// Which job, by the thing that it is for.
#[derive(Debug, Clone, Copy)]
pub enum JobOf {
    /// Build of a workspace.
    Build(Uuid),
    /// Import of a template version.
    TemplateVersion(Uuid),
}

impl JobOf {
    async fn logs(
        self,
        client: &Client,
        after: i64,
    ) -> Result<JsonSocket<ProvisionerJobLog>, Error> {
        match self {
            Self::Build(id) => client.build_logs(id, after).await,
            Self::TemplateVersion(id) => client.template_version_logs(id, after).await,
        }
    }

    async fn job(self, client: &Client) -> Result<ProvisionerJob, Error> {
        match self {
            Self::Build(id) => Ok(client.build(id).await?.job),
            Self::TemplateVersion(id) => Ok(client.template_version(id).await?.job),
        }
    }

    /// Interrupting the command stops imports; a build goes on, since half a
    /// workspace is worse than a whole one.
    fn is_canceled_by_interrupt(self) -> bool {
        matches!(self, Self::TemplateVersion(_))
    }

    async fn cancel(self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Build(id) => client.build_cancel(id).await,
            Self::TemplateVersion(id) => client.template_version_cancel(id).await,
        }
    }
}

/// Prints the progress of a build to its end; gives the build, or the reason
/// of its failure.
pub async fn build(session: &Session, build: &WorkspaceBuild) -> Result<()> {
    job(session, JobOf::Build(build.id), &build.job)
        .await
        .map(drop)
}

/// Prints the progress of `which` to its end. A job that failed is an error.
pub async fn job(
    session: &Session,
    which: JobOf,
    first: &ProvisionerJob,
) -> Result<ProvisionerJob> {
    let ended = to_the_end(session, which, first).await?;
    match ended.status {
        ProvisionerJobStatus::Succeeded => Ok(ended),
        ProvisionerJobStatus::Canceled => Err(anyhow::anyhow!("the job was canceled")),
        _ if ended.error.is_empty() => Err(anyhow::anyhow!("the job ended as {}", ended.status)),
        _ => Err(anyhow::anyhow!("{}", ended.error)),
    }
}

/// Like [`job`], but gives the job even if it failed. Ctrl-C cancels an import; once more leaves it to
/// itself and ends the command.
pub async fn to_the_end(
    session: &Session,
    which: JobOf,
    first: &ProvisionerJob,
) -> Result<ProvisionerJob> {
    let mut following = Box::pin(follow(session, which, first));
    if !which.is_canceled_by_interrupt() {
        return following.await;
    }
    // One listener for the whole time: no ctrl-C is missed between two waits.
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        ended = &mut following => return ended,
        () = interrupts.next() => {}
    }
    session.note("Canceling; press ctrl-C again to leave it to itself.");
    let canceled = async {
        if let Err(error) = which.cancel(session.client()?).await {
            // It may have ended in this moment, which the log tells.
            session.note(&format!("The job was not canceled: {error}"));
        }
        following.await
    };
    tokio::select! {
        ended = canceled => ended,
        () = interrupts.next() => Err(Exit(INTERRUPTED).into()),
    }
}

/// Prints the progress of `which` until it is over, through restarts of the server.
async fn follow(session: &Session, which: JobOf, first: &ProvisionerJob) -> Result<ProvisionerJob> {
    let client = session.client()?;
    let mut stages = Stages::new(session.progress_style(), session.globals.verbose);
    let mut after = 0;
    let mut failures = 0;
    let mut waiting = first.status == ProvisionerJobStatus::Pending;
    if waiting && first.queue_position > 0 {
        session.progress(&stages.begin(&queued(first), first.created_at))?;
    }
    loop {
        match which.logs(client, after).await {
            Ok(mut logs) => {
                let mut queue = tokio::time::interval_at(
                    tokio::time::Instant::now() + QUEUE_NOTICE,
                    QUEUE_POLL,
                );
                loop {
                    tokio::select! {
                        log = logs.next() => match log {
                            Some(Ok(log)) => {
                                (after, waiting, failures) = (log.id, false, 0);
                                session.progress(&stages.log(&log))?;
                            }
                            Some(Err(error)) => {
                                tracing::debug!(%error, "log broke off");
                                break;
                            }
                            None => break,
                        },
                        _ = queue.tick(), if waiting => match which.job(client).await {
                            Ok(job) => {
                                waiting = job.status == ProvisionerJobStatus::Pending;
                                if waiting {
                                    session.progress(&stages.begin(&queued(&job), Utc::now()))?;
                                }
                            }
                            Err(error) if error.is_transient() => {
                                tracing::debug!(%error, "the server does not tell of the job");
                                break;
                            }
                            Err(error) => return Err(error).context("ask for the job"),
                        },
                    }
                }
            }
            Err(error) if error.is_transient() && failures < RETRIES => failures += 1,
            Err(error) => return Err(error).context("follow the log"),
        }
        match which.job(client).await {
            Ok(job) if is_over(&job) => {
                let well = job.status == ProvisionerJobStatus::Succeeded;
                session.progress(&stages.end(job.completed_at.unwrap_or_else(Utc::now), well))?;
                return Ok(job);
            }
            Ok(_) => failures = 0,
            Err(error) if error.is_transient() && failures < RETRIES => failures += 1,
            Err(error) => return Err(error).context("ask for the job"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn queued(job: &ProvisionerJob) -> String {
    match job.queue_position {
        0 => "Queued".to_owned(),
        position => format!("Queued (position: {position})"),
    }
}

fn is_over(job: &ProvisionerJob) -> bool {
    matches!(
        job.status,
        ProvisionerJobStatus::Succeeded
            | ProvisionerJobStatus::Failed
            | ProvisionerJobStatus::Canceled
    )
}
