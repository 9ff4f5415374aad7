//! Ends jobs that an earlier process of this machine left behind when it was killed.

use std::sync::Arc;
use std::time::Duration;

use rpc::proto::provisionerd::{FailedJob, UpdateJobRequest, failed_job};

use crate::job::{JobSource, SourceError};
use crate::session::{Kind, Left};

use super::Tools;
use super::reporter::deliver;

/// How often a run that still goes on is reported as alive.
const BEAT: Duration = Duration::from_secs(1);
/// What a job's error says that was left behind …
const LEFT: &str = "the server was stopped by force while this job ran; what Terraform did until then is kept in the state, so it is safe to try again";
/// … and of whose state nothing can be read.
const UNREAD: &str = "the server was stopped by force while this job ran, and the state that Terraform left cannot be read; the server's log says where it is, and what to repair before the next build";

/// Looks for leftovers once per process and ends each in the background.
pub(super) fn recover<S: JobSource>(source: &Arc<S>, tools: &Arc<Tools>) {
    if !tools.recovers_now() {
        return;
    }
    for left in tools.workshop.left_behind() {
        let source = Arc::clone(source);
        tokio::spawn(async move { end(&*source, left).await });
    }
}

/// The state of a run, once that has ended. Until then its job is kept alive: nobody else may
/// build on the state from before it.
async fn watched<S: JobSource>(source: &S, left: &Left) -> std::io::Result<Vec<u8>> {
    let beat = async {
        loop {
            let request = UpdateJobRequest {
                job_id: left.job_id.clone(),
                ..UpdateJobRequest::default()
            };
            if let Err(SourceError::Gone(_)) = source.update(request).await {
                return std::future::pending::<()>().await;
            }
            tokio::time::sleep(BEAT).await;
        }
    };
    tokio::select! {
        state = left.state() => state,
        () = beat => Err(std::io::Error::other("a pending future has ended")),
    }
}

async fn end<S: JobSource>(source: &S, left: Left) {
    let job_id = left.job_id.clone();
    tracing::info!(job_id, "a job was left behind by a process that was killed");
    left.end_plans();
    let mut why = LEFT;
    let kind = match left.kind {
        Kind::Build => {
            let state = watched(source, &left).await.unwrap_or_else(|error| {
                tracing::error!(
                    job_id,
                    "its state cannot be read and stays in {}: {error}",
                    left.root().display()
                );
                why = UNREAD;
                Vec::new()
            });
            failed_job::Type::WorkspaceBuild(failed_job::WorkspaceBuild {
                state,
                ..failed_job::WorkspaceBuild::default()
            })
        }
        Kind::Import => failed_job::Type::TemplateImport(failed_job::TemplateImport {}),
        Kind::DryRun => failed_job::Type::TemplateDryRun(failed_job::TemplateDryRun {}),
    };
    let failed = FailedJob {
        job_id: job_id.clone(),
        error: why.to_owned(),
        r#type: Some(kind),
        ..FailedJob::default()
    };
    match deliver(|| source.fail(failed.clone())).await {
        Ok(()) | Err(SourceError::Gone(_)) if why == UNREAD => {}
        Ok(()) | Err(SourceError::Gone(_)) => left.done(),
        Err(error) => tracing::error!(job_id, "its state cannot be handed in: {error}"),
    }
}
