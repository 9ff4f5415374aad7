//! Ending jobs that failed or were cancelled.

use api_types::ProvisionerJobStatus;
use provisioner::SourceError;
use rpc::proto::provisionerd::FailedJob;
use rpc::proto::provisionerd::failed_job::Type;
use store::Tx;
use store::provisioner_jobs::{JobEnd, OpenJob};

use super::acquire::{BuildInput, input};
use super::convert::timings;
use super::update::REQUIRED_VARIABLES;
use super::{DatabaseJobs, from_store, gone, job_id, source_error};
use crate::Result;
use crate::templates::ended;

/// Longest error of a job that is kept.
const MAX_ERROR: usize = 64 << 10;

impl DatabaseJobs {
    pub(super) async fn fail_job(&self, failed: FailedJob) -> std::result::Result<(), SourceError> {
        let id = job_id(&failed.job_id)?;
        let tx = self
            .control()
            .store()
            .begin(self.who())
            .await
            .map_err(from_store)?;
        let job = tx
            .provisioner_job_lock(self.who(), id)
            .await
            .map_err(from_store)?;
        let state = match &failed.r#type {
            Some(Type::WorkspaceBuild(build)) => &build.state[..],
            _ => &[],
        };
        if ended(&job.status) {
            // Ended meanwhile by the reaper: the state that the run left is still the truth. One
            // that has succeeded handed in its own.
            if !state.is_empty() && job.status != ProvisionerJobStatus::Succeeded {
                self.keep_state(&tx, &job, state)
                    .await
                    .map_err(source_error)?;
                tx.commit().await.map_err(from_store)?;
            }
            return Err(gone(id));
        }
        match job.worker_id {
            Some(worker) if self.workers().contains(&worker) => {}
            // Left behind when this machine had another name. The daemon of that name is gone;
            // the state can be kept as soon as the job has been ended for its silence.
            Some(_) if !state.is_empty() => {
                return Err(SourceError::Temporary(format!(
                    "job {id} belongs to a daemon of another name and has not been ended yet"
                )));
            }
            _ => return Err(gone(id)),
        }
        if !state.is_empty() {
            self.keep_state(&tx, &job, state)
                .await
                .map_err(source_error)?;
        }
        if let Some(Type::WorkspaceBuild(build)) = failed.r#type {
            let timings = timings(build.timings);
            tx.provisioner_job_timings_insert(id, &timings)
                .await
                .map_err(from_store)?;
        }
        let end = end(
            job.status.as_str() == "canceling",
            &failed.error,
            &failed.error_code,
        );
        self.end_failed(&tx, &job, &end)
            .await
            .map_err(source_error)?;
        tx.commit().await.map_err(from_store)
    }

    async fn keep_state(&self, tx: &Tx, job: &OpenJob, state: &[u8]) -> Result<()> {
        if job.kind != "workspace_build" {
            return Ok(());
        }
        let input: BuildInput = input(&job.input)?;
        let kept = tx
            .workspace_build_keep_state(self.who(), input.workspace_build_id, state)
            .await?;
        if !kept {
            tracing::warn!(job = %job.id, "a state came too late: a later build has begun");
        }
        Ok(())
    }

    /// Ends a job that did not succeed, with all that follows from it.
    pub(super) async fn end_failed(&self, tx: &Tx, job: &OpenJob, end: &JobEnd) -> Result<()> {
        let who = self.who();
        tx.provisioner_job_end(who, job.id, end).await?;
        if job.kind != "workspace_build" {
            return Ok(());
        }
        let input: BuildInput = input(&job.input)?;
        let facts = tx
            .provisioner_job_build_facts(who, input.workspace_build_id)
            .await?;
        tx.workspace_build_followup_cancel(who, facts.build_id)
            .await?;
        self.audit_build(tx, job, &facts, 500).await?;
        Ok(tx.workspace_changed(facts.workspace_id).await?)
    }
}

/// How a job ends that its daemon gave up. One that was to be cancelled is cancelled, whatever
/// words Terraform had for being interrupted.
fn end(canceling: bool, error: &str, code: &str) -> JobEnd {
    if canceling {
        return JobEnd::default();
    }
    let error = error.replace('\0', "");
    let error: String = error.chars().take(MAX_ERROR).collect();
    let error = if error.is_empty() {
        "the job failed without a reason".to_owned()
    } else {
        error
    };
    let derived = if error.contains(REQUIRED_VARIABLES) {
        "REQUIRED_TEMPLATE_VARIABLES"
    } else {
        ""
    };
    let code = if code.is_empty() { derived } else { code };
    JobEnd {
        error: Some(error),
        error_code: Some(code.to_owned()).filter(|c| !c.is_empty()),
        clear_cancel: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_job_is_not_failed() {
        assert_eq!(end(true, "signal: interrupt", "").error, None);
        assert_eq!(
            end(false, "", "").error.as_deref(),
            Some("the job failed without a reason")
        );
    }

    #[test]
    fn missing_variables_have_a_code() {
        let e = end(
            false,
            "import: required template variables need values: region",
            "",
        );
        assert_eq!(e.error_code.as_deref(), Some("REQUIRED_TEMPLATE_VARIABLES"));
        assert_eq!(
            end(false, "x", "INSUFFICIENT_QUOTA").error_code.as_deref(),
            Some("INSUFFICIENT_QUOTA")
        );
        assert_eq!(end(false, "x", "").error_code, None);
    }
}
