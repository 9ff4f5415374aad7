//! Workspaces: created, listed, set.

use api_types::{UpdateWorkspaceAutostartRequest, UpdateWorkspaceTtlRequest};
use chrono::{TimeDelta, Utc};

use crate::support::Deployment;

#[tokio::test]
async fn of_sixteen_creations_one_succeeds() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let all = (0..16).map(|_| d.create(&d.member, &template, "dev"));
    let all = futures::future::join_all(all).await;
    let statuses: Vec<u16> = all
        .iter()
        .map(|r| r.as_ref().err().map_or(201, control::Error::status))
        .collect();
    assert_eq!(
        statuses.iter().filter(|s| **s == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|s| **s == 409).count(),
        15,
        "{statuses:?}"
    );
    let count = d.db.query_one(
        "SELECT count(*) FROM provisioner_jobs WHERE type = 'workspace_build'",
        &[],
    );
    assert_eq!(
        count.await.unwrap().get::<_, i64>(0),
        1,
        "no job is left without a workspace"
    );
}

#[tokio::test]
async fn of_two_builds_at_once_one_succeeds() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let build = |_| {
        let request = api_types::CreateWorkspaceBuildRequest {
            transition: "stop".into(),
            ..Default::default()
        };
        d.control
            .workspace_build_create(&d.member.who, w.id, request)
    };
    let all = futures::future::join_all((0..4).map(build)).await;
    assert_eq!(all.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(
        all.iter()
            .filter_map(|r| r.as_ref().err())
            .all(|e| e.status() == 409)
    );
}

#[tokio::test]
async fn lists_filter_count_and_cut() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    d.running(&d.member, &template, "beta").await;
    d.create(&d.member, &template, "alpha").await.unwrap();
    d.create(&d.owner, &template, "gamma").await.unwrap();
    let names = async |who: &authz::Subject, q: &str| {
        let page = d.control.workspace_list(who, q, 0, 0).await.unwrap();
        assert_eq!(page.count, page.workspaces.len() as i64, "{q}");
        page.workspaces
            .iter()
            .map(|w| w.name.clone())
            .collect::<Vec<_>>()
    };
    let (me, admin) = (&d.member.who, &d.owner.who);
    // Running ones first, then by name; of others nothing.
    assert_eq!(names(me, "").await, ["beta", "alpha"]);
    assert_eq!(names(admin, "").await, ["beta", "gamma", "alpha"]);
    assert_eq!(names(admin, "owner:me").await, ["gamma"]);
    assert_eq!(names(admin, "member/al").await, ["alpha"]);
    assert_eq!(names(me, "status:running").await, ["beta"]);
    assert_eq!(names(me, "status:pending").await, ["alpha"]);
    assert_eq!(names(me, "has-agent:connecting").await, ["beta"]);
    assert_eq!(names(me, "healthy:false").await, ["beta"]);
    assert_eq!(
        names(me, "template:host name:beta outdated:false").await,
        ["beta"]
    );
    assert_eq!(names(me, "dormant:true").await, [""; 0]);
    assert_eq!(names(me, "param:nothing=x").await, [""; 0]);
    let page = d.control.workspace_list(admin, "", 1, 1).await.unwrap();
    assert_eq!((page.count, page.workspaces[0].name.as_str()), (3, "gamma"));
    let beyond = d.control.workspace_list(admin, "", 10, 10).await.unwrap();
    assert_eq!((beyond.count, beyond.workspaces.len()), (3, 0));
    assert_eq!(
        d.control
            .workspace_list(me, "a:b:c", 0, 0)
            .await
            .unwrap_err()
            .status(),
        400
    );

    let alpha = d
        .control
        .workspace_read_by_name(me, d.member.id, "ALPHA", false)
        .await
        .unwrap();
    d.control
        .workspace_set_favorite(me, alpha.id, true)
        .await
        .unwrap();
    assert_eq!(names(me, "").await, ["alpha", "beta"]);
    let error = d
        .control
        .workspace_set_favorite(admin, alpha.id, true)
        .await
        .unwrap_err();
    assert_eq!(error.status(), 403);
}

#[tokio::test]
async fn schedules() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let (who, admin) = (&d.member.who, &d.owner.who);
    let w = d.running(&d.member, &template, "dev").await;
    let autostart = |text: &str| UpdateWorkspaceAutostartRequest {
        schedule: Some(text.into()),
    };
    let set = |text| {
        d.control
            .workspace_set_autostart(who, w.id, autostart(text))
    };
    set("CRON_TZ=Europe/Berlin 30 9 * * 1-5").await.unwrap();
    let now = d.control.workspace_read(who, w.id, false).await.unwrap();
    assert!(now.next_start_at.is_some_and(|at| at > Utc::now()));
    assert_eq!(set("0 0 31 2 *").await.unwrap_err().status(), 400);
    set("").await.unwrap();
    let now = d.control.workspace_read(who, w.id, false).await.unwrap();
    assert_eq!((now.autostart_schedule, now.next_start_at), (None, None));

    let ttl = |ttl_ms| UpdateWorkspaceTtlRequest { ttl_ms };
    assert_eq!(
        d.control
            .workspace_set_ttl(who, w.id, ttl(Some(5)))
            .await
            .unwrap_err()
            .status(),
        400
    );
    d.control
        .workspace_set_ttl(who, w.id, ttl(Some(3_600_000)))
        .await
        .unwrap();
    let extend = |by| d.control.workspace_extend(who, w.id, Utc::now() + by);
    // Without a deadline there is nothing to extend.
    assert_eq!(extend(TimeDelta::hours(1)).await.unwrap_err().status(), 409);
    let request = api_types::CreateWorkspaceBuildRequest {
        transition: "start".into(),
        ..Default::default()
    };
    d.control
        .workspace_build_create(who, w.id, request)
        .await
        .unwrap();
    d.build(b"s").await;
    let now = d.control.workspace_read(who, w.id, false).await.unwrap();
    assert!(now.latest_build.deadline.is_some_and(|at| at > Utc::now()));
    assert_eq!(
        extend(TimeDelta::minutes(5)).await.unwrap_err().status(),
        400
    );
    extend(TimeDelta::hours(3)).await.unwrap();
    d.control
        .workspace_set_ttl(who, w.id, ttl(None))
        .await
        .unwrap();
    let now = d.control.workspace_read(admin, w.id, false).await.unwrap();
    assert_eq!((now.ttl_ms, now.latest_build.deadline), (None, None));
}

#[tokio::test]
async fn renames_need_the_option() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let error = d
        .control
        .workspace_rename(&d.member.who, w.id, "prod")
        .await
        .unwrap_err();
    assert_eq!(error.status(), 400);
    d.control
        .workspace_rename(&d.member.who, w.id, "dev")
        .await
        .unwrap();
    let mut settings = d.control.settings().clone();
    settings.allow_workspace_renames = true;
    let control = control::Control::new(d.db.store.clone(), settings);
    control
        .workspace_rename(&d.member.who, w.id, "prod")
        .await
        .unwrap();
    d.create(&d.member, &template, "dev").await.unwrap();
    let error = control
        .workspace_rename(&d.member.who, w.id, "Dev")
        .await
        .unwrap_err();
    assert_eq!(error.status(), 409);
    let error = control
        .workspace_rename(&d.member.who, w.id, "a b")
        .await
        .unwrap_err();
    assert_eq!(error.status(), 400);
}

#[tokio::test]
async fn bad_names_are_refused() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    for name in ["", "a b", "a\0b", "🦀", "new", &"x".repeat(10_000)] {
        let error = d.create(&d.member, &template, name).await.unwrap_err();
        assert_eq!(error.status(), 400, "{name:.20}");
    }
}
