//! Builds of workspaces.

use api_types::{
    CreateWorkspaceBuildOnSuccessRequest, CreateWorkspaceBuildRequest, CreateWorkspaceRequest,
    WorkspaceBuildParameter as Value,
};
use provisioner::JobSource as _;
use rpc::proto::provisionerd::acquired_job::Type as Told;
use rpc::proto::provisionerd::{
    CommitQuotaRequest, FailedJob, UpdateJobRequest,
    failed_job::{Type as Failed, WorkspaceBuild as FailedBuild},
};
use uuid::Uuid;

use crate::support::{Deployment, parameter};

fn build(transition: &str) -> CreateWorkspaceBuildRequest {
    CreateWorkspaceBuildRequest {
        transition: transition.into(),
        ..Default::default()
    }
}

fn value(name: &str, value: &str) -> Value {
    Value {
        name: name.into(),
        value: value.into(),
    }
}

#[tokio::test]
async fn a_workspace_lives_and_dies() {
    let d = Deployment::new().await;
    let template = d
        .template("host", vec![parameter("region", Some("eu"))])
        .await;
    let who = &d.member.who;
    let w = d.running(&d.member, &template, "dev").await;
    assert_eq!(w.latest_build.status.as_str(), "running");
    assert!(!w.health.healthy, "its agent has not connected");
    let agent = &w.latest_build.resources[0].agents[0];
    assert_eq!(
        (agent.name.as_str(), agent.status.as_str()),
        ("main", "connecting")
    );
    assert_eq!(agent.apps[0].subdomain_name, "code--dev--member");
    assert_eq!(
        (agent.scripts[0].timeout, agent.log_sources.len()),
        (2_000_000_000, 1)
    );
    assert_eq!(agent.display_apps.len(), 4);

    let stop = d
        .control
        .workspace_build_create(who, w.id, build("stop"))
        .await
        .unwrap();
    assert_eq!((stop.build_number, stop.status.as_str()), (2, "pending"));
    // One at a time.
    let busy = d
        .control
        .workspace_build_create(who, w.id, build("start"))
        .await
        .unwrap_err();
    assert_eq!(busy.status(), 409);
    let job = d.build(b"state 2").await;
    let Some(Told::WorkspaceBuild(told)) = job.r#type else {
        panic!("another job")
    };
    assert_eq!(&told.state[..], b"state 1");
    assert_eq!(told.rich_parameter_values[0].value, "eu");
    assert_eq!(told.previous_parameter_values.len(), 1);
    let metadata = told.metadata.unwrap();
    assert_eq!(metadata.workspace_owner, "member");
    assert_eq!(metadata.workspace_owner_groups, ["Everyone"]);
    assert_eq!(metadata.workspace_owner_session_token, "");
    let w = d.control.workspace_read(who, w.id, false).await.unwrap();
    assert_eq!(w.latest_build.status.as_str(), "stopped");
    assert!(w.latest_build.resources[0].agents.is_empty());
    // The agent of the build before is retired.
    let first = d
        .control
        .workspace_build_list(who, w.id, (None, 0, 0), None)
        .await
        .unwrap();
    assert!(first[1].resources[0].agents.is_empty());

    d.control
        .workspace_build_create(who, w.id, build("delete"))
        .await
        .unwrap();
    d.build(b"").await;
    assert_eq!(
        d.control
            .workspace_read(who, w.id, false)
            .await
            .unwrap_err()
            .status(),
        410
    );
    let gone = d.control.workspace_read(who, w.id, true).await.unwrap();
    assert_eq!(gone.latest_build.status.as_str(), "deleted");
    let by_name = d
        .control
        .workspace_read_by_name(who, d.member.id, "dev", false)
        .await;
    assert_eq!(by_name.unwrap_err().status(), 404);
    // The name is free again.
    d.create(&d.member, &template, "dev").await.unwrap();
}

#[tokio::test]
async fn a_started_template_may_act_as_the_owner() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.create(&d.member, &template, "dev").await.unwrap();
    let job = d.build(b"s").await;
    let Some(Told::WorkspaceBuild(told)) = job.r#type else {
        panic!("another job")
    };
    let token = told.metadata.unwrap().workspace_owner_session_token;
    let session = d.control.session_open(&token, None, false).await.unwrap();
    assert_eq!(session.user.id, d.member.id);
    d.control
        .workspace_build_create(&d.member.who, w.id, build("stop"))
        .await
        .unwrap();
    d.acquire().await;
    d.control
        .session_open(&token, None, false)
        .await
        .err()
        .expect("the token to be gone");
}

#[tokio::test]
async fn parameters_come_from_request_and_last_build() {
    let d = Deployment::new().await;
    let mut fixed = parameter("disk", Some("10"));
    fixed.mutable = false;
    let template = d
        .template("host", vec![parameter("region", None), fixed])
        .await;
    let create = async |values| {
        let request = CreateWorkspaceRequest {
            template_id: Some(template.id),
            name: "dev".into(),
            rich_parameter_values: values,
            ..Default::default()
        };
        let owner = d.owner_of(&d.member);
        d.control
            .workspace_create(&d.member.who, &owner, None, request)
            .await
    };
    let error = create(vec![]).await.unwrap_err();
    assert_eq!(
        (error.status(), error.validations[0].field.as_str()),
        (400, "region")
    );
    let w = create(vec![value("region", "eu"), value("nonsense", "x")])
        .await
        .unwrap();
    d.build(b"s").await;
    let mut change = build("start");
    change.rich_parameter_values = vec![value("disk", "20")];
    let error = d
        .control
        .workspace_build_create(&d.member.who, w.id, change)
        .await
        .unwrap_err();
    assert_eq!(
        (error.status(), error.validations[0].field.as_str()),
        (400, "disk")
    );
    let next = d
        .control
        .workspace_build_create(&d.member.who, w.id, build("start"))
        .await
        .unwrap();
    let got = d
        .control
        .workspace_build_parameters(&d.member.who, next.id)
        .await
        .unwrap();
    assert_eq!(got, [value("disk", "10"), value("region", "eu")]);
}

#[tokio::test]
async fn cancelling() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.create(&d.member, &template, "dev").await.unwrap();
    let id = w.latest_build.id;
    let cancel = |expected| {
        d.control
            .workspace_build_cancel(&d.member.who, id, expected)
    };
    assert_eq!(cancel(Some("succeeded")).await.unwrap_err().status(), 400);
    assert_eq!(cancel(Some("running")).await.unwrap_err().status(), 412);
    // Not taken by a daemon: ended at once.
    cancel(Some("pending")).await.unwrap();
    let now = d
        .control
        .workspace_read(&d.member.who, w.id, false)
        .await
        .unwrap();
    assert_eq!(now.latest_build.status.as_str(), "canceled");
    assert_eq!(cancel(None).await.unwrap_err().status(), 400);

    let next = d
        .control
        .workspace_build_create(&d.member.who, w.id, build("start"))
        .await
        .unwrap();
    let job = d.acquire().await;
    d.control
        .workspace_build_cancel(&d.member.who, next.id, None)
        .await
        .unwrap();
    let beat = UpdateJobRequest {
        job_id: job.job_id.clone(),
        ..Default::default()
    };
    assert!(d.jobs.update(beat).await.unwrap().canceled);
    let failed = FailedJob {
        job_id: job.job_id,
        error: "interrupted".into(),
        r#type: Some(Failed::WorkspaceBuild(FailedBuild {
            state: b"half".to_vec(),
            timings: vec![],
        })),
        ..Default::default()
    };
    d.jobs.fail(failed).await.unwrap();
    let now = d
        .control
        .workspace_read(&d.member.who, w.id, false)
        .await
        .unwrap();
    assert_eq!(now.latest_build.status.as_str(), "canceled");
    let state = d
        .control
        .workspace_build_state(&d.owner.who, next.id)
        .await
        .unwrap();
    assert_eq!(state, b"half");
    // Whose template it is not, may not look into states.
    let error = d
        .control
        .workspace_build_state(&d.member.who, next.id)
        .await
        .unwrap_err();
    assert_eq!(error.status(), 403);
}

#[tokio::test]
async fn a_restart_is_one_request() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let mut stop = build("stop");
    stop.reason = "cli".into();
    stop.on_success = Some(CreateWorkspaceBuildOnSuccessRequest {
        transition: "start".into(),
        ..Default::default()
    });
    d.control
        .workspace_build_create(&d.member.who, w.id, stop)
        .await
        .unwrap();
    d.build(b"stopped").await;
    let job = d.build(b"started").await;
    let Some(Told::WorkspaceBuild(told)) = job.r#type else {
        panic!("another job")
    };
    assert_eq!(&told.state[..], b"stopped");
    let now = d
        .control
        .workspace_read(&d.member.who, w.id, false)
        .await
        .unwrap();
    assert_eq!(
        (
            now.latest_build.build_number,
            now.latest_build.status.as_str()
        ),
        (3, "running")
    );
    assert_eq!(now.latest_build.reason.as_str(), "cli");
}

#[tokio::test]
async fn what_follows_a_build_is_checked_when_asked_for_and_when_it_begins() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let restart = |version: Option<Uuid>| CreateWorkspaceBuildRequest {
        on_success: Some(CreateWorkspaceBuildOnSuccessRequest {
            transition: "start".into(),
            template_version_id: version,
            ..Default::default()
        }),
        ..build("stop")
    };
    let ask = |request| {
        d.control
            .workspace_build_create(&d.member.who, w.id, request)
    };
    let unknown = ask(restart(Some(Uuid::new_v4()))).await;
    assert_eq!(unknown.unwrap_err().status(), 400);
    ask(restart(Some(Uuid::nil()))).await.unwrap();

    let suspend = "UPDATE users SET status = 'suspended' WHERE id = $1";
    d.db.execute(suspend, &[&d.member.id]).await.unwrap();
    d.build(b"stopped").await;
    let sql = "SELECT coalesce(error, '') FROM workspace_build_followups WHERE status <> 'pending'";
    let error: String = loop {
        if let Some(row) = d.db.query_opt(sql, &[]).await.unwrap() {
            break row.get(0);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert!(error.contains("not active"), "{error}");
}

#[tokio::test]
async fn an_orphan_is_forgotten_at_once() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let tokens = || async {
        let sql = "SELECT count(*) FROM api_keys WHERE token_name LIKE '%_session_token'";
        let row = d.db.query_one(sql, &[]).await.unwrap();
        row.get::<_, i64>(0)
    };
    assert_eq!(tokens().await, 1);
    let mut orphan = build("delete");
    orphan.orphan = true;
    let mine = d
        .control
        .workspace_build_create(&d.member.who, w.id, orphan.clone())
        .await;
    assert_eq!(mine.unwrap_err().status(), 403);
    let done = d
        .control
        .workspace_build_create(&d.owner.who, w.id, orphan)
        .await
        .unwrap();
    assert_eq!(done.status.as_str(), "deleted");
    assert_eq!(tokens().await, 0);
    assert_eq!(
        d.control
            .workspace_read(&d.owner.who, w.id, false)
            .await
            .unwrap_err()
            .status(),
        410
    );
}

#[tokio::test]
async fn the_budget_is_kept() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    d.db.execute("UPDATE groups SET quota_allowance = 10", &[])
        .await
        .unwrap();
    d.create(&d.member, &template, "dev").await.unwrap();
    let job = d.acquire().await;
    let ask = |daily_cost| CommitQuotaRequest {
        job_id: job.job_id.clone(),
        daily_cost,
    };
    let no = d.jobs.commit_quota(ask(11)).await.unwrap();
    assert_eq!((no.ok, no.budget, no.credits_consumed), (false, 10, 0));
    let yes = d.jobs.commit_quota(ask(10)).await.unwrap();
    assert_eq!((yes.ok, yes.credits_consumed), (true, 10));
    let quota = d
        .control
        .workspace_quota(&d.member.who, &crate::support::ORG, d.member.id)
        .await
        .unwrap();
    assert_eq!((quota.credits_consumed, quota.budget), (10, 10));
}

#[tokio::test]
async fn dormant_workspaces_wake_by_their_start() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let who = &d.member.who;
    let asleep = d
        .control
        .workspace_set_dormant(who, w.id, true)
        .await
        .unwrap()
        .unwrap();
    assert!(asleep.dormant_at.is_some());
    assert!(
        d.control
            .workspace_set_dormant(who, w.id, true)
            .await
            .unwrap()
            .is_none()
    );
    d.control
        .workspace_build_create(who, w.id, build("start"))
        .await
        .unwrap();
    d.build(b"s").await;
    let awake = d.control.workspace_read(who, w.id, false).await.unwrap();
    assert_eq!(
        (awake.dormant_at, awake.latest_build.status.as_str()),
        (None, "running")
    );
}

#[tokio::test]
async fn builds_start_when_asked_wrongly_with_the_right_refusal() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let foreign = d.imported(vec![]).await;
    let pending = d.version(&d.owner.who, Some(template.id)).await;
    let with = |f: &dyn Fn(&mut CreateWorkspaceBuildRequest)| {
        let mut r = build("start");
        f(&mut r);
        r
    };
    for (request, status) in [
        (with(&|r| r.transition = "dance".into()), 400),
        (with(&|r| r.log_level = "debug".into()), 400),
        (with(&|r| r.state = "!".into()), 400),
        (with(&|r| r.state = "YQ==".into()), 403),
        (
            with(&|r| r.template_version_id = Some(uuid::Uuid::new_v4())),
            400,
        ),
        (with(&|r| r.template_version_id = Some(foreign.id)), 400),
        (with(&|r| r.template_version_id = Some(pending.id)), 406),
        (
            with(&|r| r.template_version_preset_id = Some(uuid::Uuid::new_v4())),
            400,
        ),
        (with(&|r| r.reason = "boredom".into()), 400),
        (
            with(&|r| r.rich_parameter_values = vec![value("a", "\0")]),
            400,
        ),
    ] {
        let asked = format!("{request:?}");
        let error = d
            .control
            .workspace_build_create(&d.member.who, w.id, request)
            .await;
        assert_eq!(error.unwrap_err().status(), status, "{asked}");
    }
}
