//! The queue: order, ownership, what happens to jobs that are left alone.

use std::time::Duration;

use api_types::CreateWorkspaceBuildRequest;
use control::jobs::{DaemonFilter, DatabaseJobs, JobFilter};
use provisioner::{JobSource as _, SourceError};
use rpc::proto::provisionerd::{
    CompletedJob, FailedJob, Log, UpdateJobRequest,
    completed_job::{Type, WorkspaceBuild},
    failed_job::{Type as Failed, WorkspaceBuild as FailedBuild},
};
use store::provisioner_job_logs::{LogRange, MAX_JOB_OUTPUT};

use crate::support::{Deployment, ORG};

#[tokio::test]
async fn a_waiting_daemon_is_woken() {
    let d = Deployment::new().await;
    let waiting = tokio::spawn({
        let (jobs, cancel) = (d.jobs.clone(), d.cancel.clone());
        async move { jobs.acquire(crate::support::DAEMON, &cancel).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let version = d.version(&d.owner.who, None).await;
    // Far below the interval at which the queue is looked at without being told.
    let job = tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap();
    assert_eq!(
        job.unwrap().unwrap().unwrap().job_id,
        version.job.id.to_string()
    );
}

#[tokio::test]
async fn every_job_is_taken_once() {
    let d = Deployment::new().await;
    for _ in 0..4 {
        d.version(&d.owner.who, None).await;
    }
    let all = futures::future::join_all((0..4).map(|_| d.acquire())).await;
    let mut ids: Vec<_> = all.into_iter().map(|job| job.job_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    d.cancel.cancel();
    assert!(
        d.jobs
            .acquire(crate::support::DAEMON, &d.cancel)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn results_of_others_are_refused() {
    let d = Deployment::new().await;
    let version = d.version(&d.owner.who, None).await;
    let job = d.acquire().await;
    let other = DatabaseJobs::register(&d.control, &["other-0".to_owned()], "v2.38.0")
        .await
        .unwrap();
    let update = UpdateJobRequest {
        job_id: job.job_id.clone(),
        ..Default::default()
    };
    assert!(matches!(
        other.update(update).await,
        Err(SourceError::Gone(_))
    ));
    let fail = FailedJob {
        job_id: job.job_id.clone(),
        error: "x".into(),
        ..Default::default()
    };
    assert!(matches!(
        other.fail(fail.clone()).await,
        Err(SourceError::Gone(_))
    ));
    // A result of another kind is refused, and the job goes on.
    let wrong = CompletedJob {
        job_id: job.job_id.clone(),
        r#type: Some(Type::WorkspaceBuild(WorkspaceBuild::default())),
    };
    assert!(matches!(
        d.jobs.complete(wrong.clone()).await,
        Err(SourceError::Refused(_))
    ));
    d.jobs.fail(fail.clone()).await.unwrap();
    assert!(matches!(d.jobs.fail(fail).await, Err(SourceError::Gone(_))));
    assert!(matches!(
        d.jobs.complete(wrong).await,
        Err(SourceError::Gone(_))
    ));
    let version = d
        .control
        .template_version_read(&d.owner.who, version.id)
        .await
        .unwrap();
    assert_eq!(
        (version.job.status.as_str(), version.job.error.as_str()),
        ("failed", "x")
    );
    for garbage in ["", "garbage", "00000000-0000-0000-0000-000000000000"] {
        let update = UpdateJobRequest {
            job_id: garbage.into(),
            ..Default::default()
        };
        assert!(d.jobs.update(update).await.is_err());
    }
}

#[tokio::test]
async fn output_has_a_limit_that_is_told() {
    let d = Deployment::new().await;
    let version = d.version(&d.owner.who, None).await;
    let job = d.acquire().await;
    let update = || UpdateJobRequest {
        job_id: job.job_id.clone(),
        logs: (0..20)
            .map(|_| Log {
                output: "x".repeat(60_000),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    d.jobs.update(update()).await.unwrap();
    d.jobs.update(update()).await.unwrap();
    let logs = d
        .control
        .job_logs(version.job.id, LogRange::default())
        .await
        .unwrap();
    let bytes: usize = logs.iter().map(|l| l.output.len()).sum();
    assert!(bytes <= MAX_JOB_OUTPUT as usize + 200, "{bytes}");
    assert_eq!(logs.last().unwrap().log_level.as_str(), "warn");
    let version = d
        .control
        .template_version_read(&d.owner.who, version.id)
        .await
        .unwrap();
    assert!(version.job.logs_overflowed);
}

#[tokio::test]
async fn a_state_that_comes_late_is_kept() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.create(&d.member, &template, "dev").await.unwrap();
    let job = d.acquire().await;
    let late = FailedJob {
        job_id: job.job_id,
        error: "the server was killed".into(),
        r#type: Some(Failed::WorkspaceBuild(FailedBuild {
            state: b"written".to_vec(),
            timings: vec![],
        })),
        ..Default::default()
    };
    // The server was killed, and is back under another name before the job has been ended: its
    // state must wait, not be taken for handed in.
    let renamed = DatabaseJobs::register(&d.control, &["other-0".to_owned()], "v2.38.0")
        .await
        .unwrap();
    assert!(matches!(
        renamed.fail(late.clone()).await,
        Err(SourceError::Temporary(_))
    ));
    d.db.execute("UPDATE provisioner_jobs SET completed_at = now(), error = 'gone' WHERE completed_at IS NULL", &[])
        .await
        .unwrap();
    assert!(matches!(
        renamed.fail(late.clone()).await,
        Err(SourceError::Gone(_))
    ));
    let state = d
        .control
        .workspace_build_state(&d.owner.who, w.latest_build.id)
        .await
        .unwrap();
    assert_eq!(state, b"written");

    // What has succeeded meanwhile is not undone.
    let next = CreateWorkspaceBuildRequest {
        transition: "start".into(),
        ..Default::default()
    };
    let next = d.control.workspace_build_create(&d.member.who, w.id, next);
    let next = next.await.unwrap();
    let job = d.build(b"newer").await;
    let late = FailedJob {
        job_id: job.job_id,
        ..late
    };
    assert!(matches!(d.jobs.fail(late).await, Err(SourceError::Gone(_))));
    let state = d.control.workspace_build_state(&d.owner.who, next.id).await;
    assert_eq!(state.unwrap(), b"newer");
}

#[tokio::test]
async fn a_restarted_daemon_still_owns_its_jobs() {
    let d = Deployment::new().await;
    d.version(&d.owner.who, None).await;
    let job = d.acquire().await;
    let names = [crate::support::DAEMON.to_owned()];
    let again = DatabaseJobs::register(&d.control, &names, "v2.38.0")
        .await
        .unwrap();
    let fail = FailedJob {
        job_id: job.job_id,
        error: "left behind".into(),
        ..Default::default()
    };
    again.fail(fail).await.unwrap();
}

#[tokio::test]
async fn lists_of_daemons_and_jobs() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    d.version(who, None).await;
    let jobs = |status: &str| JobFilter {
        status: vec![status.to_owned()],
        ..Default::default()
    };
    let pending = d
        .control
        .provisioner_job_list(who, &ORG, &jobs("pending"))
        .await
        .unwrap();
    assert_eq!(
        (
            pending.len(),
            pending[0].queue_position,
            pending[0].queue_size
        ),
        (1, 1, 1)
    );
    assert_eq!(pending[0].available_workers.len(), 1);
    d.acquire().await;
    let daemons = d
        .control
        .provisioner_daemon_list(who, &ORG, &DaemonFilter::default())
        .await;
    let daemons = daemons.unwrap();
    assert_eq!(daemons[0].status.as_ref().unwrap().as_str(), "busy");
    assert_eq!(
        daemons[0].current_job.as_ref().unwrap().status.as_str(),
        "running"
    );
    let running = d
        .control
        .provisioner_job_list(who, &ORG, &jobs("running"))
        .await
        .unwrap();
    assert_eq!(running[0].worker_name, crate::support::DAEMON);
    let denied = d
        .control
        .provisioner_job_list(&d.member.who, &ORG, &JobFilter::default())
        .await;
    assert_eq!(denied.unwrap_err().status(), 404);
}
