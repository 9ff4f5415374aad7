//! Speaks to the job source while a job runs: logs, heartbeats, cancellation.

use std::future::Future;
use std::time::{Duration, Instant};

use rpc::proto::provisionerd::UpdateJobRequest;
use tokio_util::sync::CancellationToken;

use crate::job::{JobSource, SourceError};
use crate::log::JobLog;

use super::Config;

/// First and longest pause between tries to reach the source.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(5));
/// How long the result of a job is offered to a source that cannot be reached.
const DELIVERY: Duration = Duration::from_mins(15);

/// What the reporter tells the job.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    /// Ends Terraform: the owner cancelled, the daemon stops, or the job is lost.
    pub stop: CancellationToken,
    /// The owner cancelled.
    pub cancelled: CancellationToken,
    /// The job is not ours any more.
    pub lost: CancellationToken,
}

/// Reports until `done`, then hands in the rest of the log.
pub(super) async fn report<S: JobSource>(
    source: &S,
    config: &Config,
    job_id: &str,
    log: &JobLog,
    signals: &Signals,
    done: &CancellationToken,
) {
    let mut reached = Instant::now();
    let mut next = Instant::now() + config.update_interval;
    let mut backoff = BACKOFF.0;
    let mut unsent = Vec::new();
    loop {
        let ends = tokio::select! {
            () = done.cancelled() => true,
            () = tokio::time::sleep_until(next.into()) => false,
            () = log.due(), if unsent.is_empty() => false,
        };
        unsent.extend(log.take());
        if ends && unsent.is_empty() {
            return;
        }
        let request = UpdateJobRequest {
            job_id: job_id.to_owned(),
            logs: unsent.clone(),
            ..UpdateJobRequest::default()
        };
        match source.update(request).await {
            Ok(answer) => {
                unsent.clear();
                reached = Instant::now();
                backoff = BACKOFF.0;
                next = reached + config.update_interval;
                if answer.canceled {
                    signals.cancelled.cancel();
                    signals.stop.cancel();
                }
            }
            Err(SourceError::Temporary(reason)) => {
                tracing::warn!(job_id, "the job cannot be reported: {reason}");
                if reached.elapsed() > config.give_up || ends && backoff >= BACKOFF.1 {
                    signals.lost.cancel();
                    signals.stop.cancel();
                    return;
                }
                next = Instant::now() + backoff;
                if ends {
                    tokio::time::sleep(backoff).await;
                }
                backoff = (backoff * 2).min(BACKOFF.1);
                continue;
            }
            Err(SourceError::Gone(reason) | SourceError::Refused(reason)) => {
                tracing::warn!(job_id, "the job is given up: {reason}");
                signals.lost.cancel();
                signals.stop.cancel();
                return;
            }
        }
        if ends {
            return;
        }
    }
}

/// Calls until it works, is refused, or has been tried for a long time.
pub(super) async fn deliver<T, F>(mut call: impl FnMut() -> F) -> Result<T, SourceError>
where
    F: Future<Output = Result<T, SourceError>>,
{
    let begin = Instant::now();
    let mut backoff = BACKOFF.0;
    loop {
        match call().await {
            Err(SourceError::Temporary(reason)) if begin.elapsed() < DELIVERY => {
                tracing::warn!("a job's result cannot be delivered yet: {reason}");
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
            other => return other,
        }
    }
}
