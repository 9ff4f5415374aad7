//! The loop of one daemon, and the frame around each job.

use std::sync::Arc;
use std::time::Duration;

use rpc::proto::provisionerd::acquired_job;
use rpc::proto::provisionerd::{AcquiredJob, CompletedJob, FailedJob, completed_job, failed_job};
use tokio_util::sync::CancellationToken;

use crate::job::{JobSource, SourceError};
use crate::log::JobLog;
use crate::session::{Kind, Session};

use super::Config;
use super::context::Context;
use super::failure::Failure;
use super::recover::recover;
use super::reporter::{Signals, deliver, report};

/// First and longest pause after a failed try to get a job.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// What a job's error says when the daemon had to stop before it was done.
const SHUTDOWN: &str = "provisioner daemon was shutdown gracefully";

/// A worker that takes provisioner jobs.
#[derive(Debug)]
pub struct Daemon;

impl Daemon {
    /// Takes jobs from `source` one after the other until `cancel` fires. A job that runs then is
    /// given the drain time, is interrupted after that, and ends as failed with its state.
    pub async fn run<S: JobSource>(source: Arc<S>, config: Config, cancel: CancellationToken) {
        recover(&source, &config.tools);
        let mut backoff = BACKOFF.0;
        while !cancel.is_cancelled() {
            match source.acquire(&config.name, &cancel).await {
                Ok(Some(job)) => {
                    backoff = BACKOFF.0;
                    work(&*source, &config, job, &cancel).await;
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(daemon = config.name, "no job can be had: {error}");
                    tokio::select! {
                        () = cancel.cancelled() => return,
                        () = tokio::time::sleep(backoff) => {}
                    }
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
    }
}

/// Sees one job to its end.
async fn work<S: JobSource>(
    source: &S,
    config: &Config,
    job: AcquiredJob,
    shutdown: &CancellationToken,
) {
    let log = JobLog::new();
    let signals = Signals::default();
    let done = CancellationToken::new();
    log.stage("Setting up");
    let job_id = job.job_id.clone();
    // Kept until the result is delivered: if we are killed before, the state in it is found again.
    let mut session = None;
    let perform = async {
        let outcome = tokio::select! {
            outcome = execute(source, config, &job, &log, &signals.stop, &mut session) => outcome,
            // Only the signal; the work itself goes on above.
            never = drain(config, shutdown, &signals.stop) => match never {},
        };
        log.stage("Cleaning Up");
        done.cancel();
        outcome
    };
    let (outcome, ()) = tokio::join!(
        perform,
        report(source, config, &job_id, &log, &signals, &done)
    );
    let abandoned = signals.lost.is_cancelled() && !outcome_has_state(&outcome);
    let unread = matches!(&outcome, Err(failure) if failure.state_unread);
    let settled = match outcome {
        _ if abandoned => true,
        Err(failure) if failure.gone => true,
        outcome => hand_in(source, &job, outcome, &signals, shutdown).await,
    };
    if let Some(session) = session
        && settled
        && !unread
    {
        session.done();
    }
}

/// Hands in what became of a job. `false` if it did not arrive and must be kept.
async fn hand_in<S: JobSource>(
    source: &S,
    job: &AcquiredJob,
    outcome: Result<completed_job::Type, Failure>,
    signals: &Signals,
    shutdown: &CancellationToken,
) -> bool {
    let job_id = &job.job_id;
    let failure = match outcome {
        Ok(result) => {
            let completed = CompletedJob {
                job_id: job_id.clone(),
                r#type: Some(result),
            };
            let delivered = deliver(|| source.complete(completed.clone())).await;
            let state = match completed.r#type {
                Some(completed_job::Type::WorkspaceBuild(build)) => build.state,
                _ => Vec::new(),
            };
            match delivered {
                // What was built is not acceptable, but it is there: its state must not be lost.
                Err(SourceError::Refused(reason)) => Failure {
                    state,
                    ..Failure::new(reason)
                },
                // The same, if the job was ended while it could not be reported.
                Err(SourceError::Gone(reason)) if !state.is_empty() => Failure {
                    state,
                    ..Failure::new(reason)
                },
                other => return arrived(job_id, other),
            }
        }
        Err(failure) => failure,
    };
    let failed = failed(job, failure, signals, shutdown);
    arrived(job_id, deliver(|| source.fail(failed.clone())).await)
}

fn arrived(job_id: &str, delivered: Result<(), SourceError>) -> bool {
    match delivered {
        Ok(()) => true,
        Err(SourceError::Gone(reason)) => {
            tracing::warn!(job_id, "{reason}");
            true
        }
        Err(error) => {
            tracing::error!(
                job_id,
                "what became of the job could not be handed in, and is kept for the next start: {error}"
            );
            false
        }
    }
}

/// Interrupts the job when the daemon was told to stop and the drain time is over.
async fn drain(
    config: &Config,
    shutdown: &CancellationToken,
    stop: &CancellationToken,
) -> std::convert::Infallible {
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(config.drain).await;
    };
    tokio::select! {
        () = drained => {}
        () = config.interrupt.cancelled() => {}
    }
    stop.cancel();
    std::future::pending().await
}

/// A lost build that changed something still hands in its state: the control plane decides.
fn outcome_has_state(outcome: &Result<completed_job::Type, Failure>) -> bool {
    match outcome {
        Ok(completed_job::Type::WorkspaceBuild(build)) => !build.state.is_empty(),
        Ok(_) => false,
        Err(failure) => !failure.state.is_empty(),
    }
}

fn failed(
    job: &AcquiredJob,
    failure: Failure,
    signals: &Signals,
    shutdown: &CancellationToken,
) -> FailedJob {
    let mut error = failure.error;
    if failure.cancelled && !signals.cancelled.is_cancelled() {
        let why = if shutdown.is_cancelled() {
            SHUTDOWN
        } else {
            "the job was interrupted"
        };
        error = if error.is_empty() {
            why.to_owned()
        } else {
            format!("{why}; {error}")
        };
    } else if signals.cancelled.is_cancelled() && failure.cancelled {
        // What an interrupted run complains about is the interruption.
        tracing::info!(job_id = job.job_id, "the job was cancelled");
    }
    let kind = match &job.r#type {
        Some(acquired_job::Type::WorkspaceBuild(_)) => {
            failed_job::Type::WorkspaceBuild(failed_job::WorkspaceBuild {
                state: failure.state,
                timings: failure.timings,
            })
        }
        Some(acquired_job::Type::TemplateDryRun(_)) => {
            failed_job::Type::TemplateDryRun(failed_job::TemplateDryRun {})
        }
        _ => failed_job::Type::TemplateImport(failed_job::TemplateImport {}),
    };
    FailedJob {
        job_id: job.job_id.clone(),
        error,
        error_code: failure.code,
        r#type: Some(kind),
    }
}

async fn execute<S: JobSource>(
    source: &S,
    config: &Config,
    job: &AcquiredJob,
    log: &JobLog,
    stop: &CancellationToken,
    kept: &mut Option<Arc<Session>>,
) -> Result<completed_job::Type, Failure> {
    let kind = match &job.r#type {
        Some(acquired_job::Type::WorkspaceBuild(_)) => Kind::Build,
        Some(acquired_job::Type::TemplateImport(_)) => Kind::Import,
        Some(acquired_job::Type::TemplateDryRun(_)) => Kind::DryRun,
        None => {
            return Err(Failure::new(
                "this daemon does not know jobs of this kind; is it as new as the server?",
            ));
        }
    };
    let binary = config.tools.binary().await?;
    let session = config
        .tools
        .workshop
        .open(&job.job_id, kind)
        .map_err(|e| Failure::io("cannot make a directory for the job", &e))?;
    let session = Arc::clone(kept.insert(Arc::new(session)));
    let context = Context {
        source,
        config,
        job_id: &job.job_id,
        log,
        stop,
        binary,
        session,
    };
    let archive = &job.template_source_archive;
    match &job.r#type {
        Some(acquired_job::Type::WorkspaceBuild(build)) => context
            .build(archive, build)
            .await
            .map(completed_job::Type::WorkspaceBuild),
        Some(acquired_job::Type::TemplateDryRun(dry_run)) => context
            .dry_run(archive, dry_run)
            .await
            .map(completed_job::Type::TemplateDryRun),
        Some(acquired_job::Type::TemplateImport(import)) => context
            .import(archive, import)
            .await
            .map(completed_job::Type::TemplateImport),
        None => Err(Failure::new("the job is empty")),
    }
}
