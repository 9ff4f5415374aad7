//! What a workspace is doing, told from its latest build's transition and job.

use api_types::{ProvisionerJobStatus as Job, WorkspaceStatus, WorkspaceTransition as Transition};

/// The status that clients show for a build of this transition whose job stands so.
pub fn workspace_status(job: &Job, transition: &Transition) -> WorkspaceStatus {
    match (job, transition) {
        (Job::Pending, _) => WorkspaceStatus::Pending,
        (Job::Running, Transition::Start) => WorkspaceStatus::Starting,
        (Job::Running, Transition::Stop) => WorkspaceStatus::Stopping,
        (Job::Running, Transition::Delete) => WorkspaceStatus::Deleting,
        (Job::Succeeded, Transition::Start) => WorkspaceStatus::Running,
        (Job::Succeeded, Transition::Stop) => WorkspaceStatus::Stopped,
        (Job::Succeeded, Transition::Delete) => WorkspaceStatus::Deleted,
        (Job::Canceling, _) => WorkspaceStatus::Canceling,
        (Job::Canceled, _) => WorkspaceStatus::Canceled,
        _ => WorkspaceStatus::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_job_and_transition() {
        let all = [
            (Job::Pending, Transition::Delete, "pending"),
            (Job::Running, Transition::Start, "starting"),
            (Job::Running, Transition::Stop, "stopping"),
            (Job::Running, Transition::Delete, "deleting"),
            (Job::Succeeded, Transition::Start, "running"),
            (Job::Succeeded, Transition::Stop, "stopped"),
            (Job::Succeeded, Transition::Delete, "deleted"),
            (Job::Canceling, Transition::Start, "canceling"),
            (Job::Canceled, Transition::Stop, "canceled"),
            (Job::Failed, Transition::Start, "failed"),
        ];
        for (job, transition, want) in all {
            assert_eq!(workspace_status(&job, &transition).as_str(), want);
        }
    }
}
