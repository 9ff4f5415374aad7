//! Who may do what: one case for each thing that can be done.

use api_types::{CreateTemplateVersionDryRunRequest, CreateWorkspaceBuildRequest};
use uuid::Uuid;

use crate::support::{Deployment, ORG};

type Done = control::Result<()>;

fn status(done: Done) -> u16 {
    done.err().map_or(200, |error| error.status())
}

/// What a workspace's owner may do, a stranger of the same organization must not even see.
#[tokio::test]
async fn workspaces_are_their_owners() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let w = d.running(&d.member, &template, "dev").await;
    let stranger = testkit::user(&d.db.store, "stranger", &[]).await;
    let auditor = testkit::user(&d.db.store, "reader", &["template-admin"]).await;
    let (id, build) = (w.id, w.latest_build.id);
    let c = &d.control;
    for (who, reads, writes) in [(&stranger.who, 404, 404), (&auditor.who, 200, 403)] {
        let read = [
            status(c.workspace_read(who, id, false).await.map(drop)),
            status(
                c.workspace_read_by_name(who, d.member.id, "dev", false)
                    .await
                    .map(drop),
            ),
            status(
                c.workspace_build_list(who, id, (None, 0, 0), None)
                    .await
                    .map(drop),
            ),
            status(c.workspace_build_read(who, build).await.map(drop)),
            status(
                c.workspace_build_read_by_number(who, d.member.id, "dev", 1)
                    .await
                    .map(drop),
            ),
            status(c.workspace_build_parameters(who, build).await.map(drop)),
            status(c.workspace_build_resources(who, build).await.map(drop)),
            status(c.workspace_build_timings(who, build).await.map(drop)),
            status(c.workspace_build_job(who, build).await.map(drop)),
            status(c.workspace_timings(who, id).await.map(drop)),
            status(c.workspace_resolve_autostart(who, id).await.map(drop)),
        ];
        assert_eq!(read, [reads; 11], "{who:?} reads");
        let stop = CreateWorkspaceBuildRequest {
            transition: "stop".into(),
            ..Default::default()
        };
        let delete = CreateWorkspaceBuildRequest {
            transition: "delete".into(),
            ..Default::default()
        };
        let used = api_types::PostWorkspaceUsageRequest::default();
        let write = [
            status(c.workspace_build_create(who, id, stop).await.map(drop)),
            status(c.workspace_build_create(who, id, delete).await.map(drop)),
            status(c.workspace_build_cancel(who, build, None).await),
            status(c.workspace_set_autoupdates(who, id, "always").await),
            status(c.workspace_set_dormant(who, id, true).await.map(drop)),
            status(c.workspace_set_favorite(who, id, true).await),
            status(c.workspace_set_ttl(who, id, Default::default()).await),
            status(c.workspace_set_autostart(who, id, Default::default()).await),
            status(c.workspace_extend(who, id, chrono::Utc::now()).await),
            status(c.workspace_used(who, id, &used).await),
            status(c.workspace_active(who, id).await),
        ];
        assert_eq!(write, [writes; 11], "{who:?} writes");
    }
    // States belong to those who maintain the template, not to the workspace's owner.
    assert_eq!(
        status(
            c.workspace_build_state(&d.member.who, build)
                .await
                .map(drop)
        ),
        403
    );
    assert_eq!(
        status(
            c.workspace_build_set_state(&d.member.who, build, "YQ==")
                .await
        ),
        403
    );
    assert_eq!(
        status(
            c.workspace_build_state(&stranger.who, build)
                .await
                .map(drop)
        ),
        404
    );
    assert_eq!(
        status(
            c.workspace_build_set_state(&auditor.who, build, "YQ==")
                .await
        ),
        200
    );
    assert_eq!(
        c.workspace_list(&stranger.who, "", 0, 0)
            .await
            .unwrap()
            .count,
        0
    );
    assert_eq!(
        c.workspace_list(&auditor.who, "", 0, 0)
            .await
            .unwrap()
            .count,
        1
    );
    // Nobody creates for others without the right to.
    let owner = d.owner_of(&d.member);
    let request = api_types::CreateWorkspaceRequest {
        template_id: Some(template.id),
        name: "theirs".into(),
        ..Default::default()
    };
    let made = c
        .workspace_create(&stranger.who, &owner, None, request.clone())
        .await
        .map(drop);
    assert_eq!(status(made), 403);
    c.workspace_create(&d.owner.who, &owner, None, request)
        .await
        .unwrap();
    // Quotas are for those who may see the user.
    assert_eq!(
        status(
            c.workspace_quota(&stranger.who, &ORG, d.member.id)
                .await
                .map(drop)
        ),
        404
    );
    assert_eq!(
        status(
            c.workspace_quota(&d.member.who, &ORG, d.member.id)
                .await
                .map(drop)
        ),
        200
    );
}

/// Members use templates; only those who maintain them change them.
#[tokio::test]
async fn templates_are_their_maintainers() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let (id, version) = (template.id, template.active_version_id);
    let who = &d.member.who;
    let c = &d.control;
    let read = [
        status(c.template_read(who, id).await.map(drop)),
        status(c.template_read_by_name(who, &ORG, "host").await.map(drop)),
        status(c.template_list(who, None, "").await.map(drop)),
        status(c.template_version_read(who, version).await.map(drop)),
        status(
            c.template_version_list(who, id, &Default::default())
                .await
                .map(drop),
        ),
        status(c.template_version_parameters(who, version).await.map(drop)),
        status(c.template_version_variables(who, version).await.map(drop)),
        status(c.template_version_presets(who, version).await.map(drop)),
        status(c.template_version_resources(who, version).await.map(drop)),
        status(
            c.template_version_external_auth(who, version)
                .await
                .map(drop),
        ),
        status(c.template_version_job(who, version).await.map(drop)),
    ];
    assert_eq!(read, [200; 11]);
    let edit = || api_types::UpdateTemplateMeta {
        name: Some("x".into()),
        ..Default::default()
    };
    let rename = || api_types::PatchTemplateVersionRequest {
        name: "x".into(),
        message: None,
    };
    let write = [
        status(c.template_update(who, id, edit()).await.map(drop)),
        status(c.template_delete(who, id).await),
        status(c.template_promote(who, id, version).await),
        status(c.template_versions_archive(who, id, true).await.map(drop)),
        status(
            c.template_version_update(who, version, rename())
                .await
                .map(drop),
        ),
        status(c.template_version_cancel(who, version).await),
    ];
    assert_eq!(write, [403; 6]);
    assert_eq!(
        status(c.template_daily_users(who, id, 0).await.map(drop)),
        404
    );
    assert_eq!(
        status(c.template_daily_users(&d.owner.who, id, 0).await.map(drop)),
        200
    );
    assert_eq!(
        status(c.template_example_list(who, None).await.map(drop)),
        404
    );
    assert_eq!(
        status(
            c.template_example_list(&d.owner.who, Some(&ORG))
                .await
                .map(drop)
        ),
        200
    );
    let new = api_types::CreateTemplateVersionRequest {
        example_id: "host".into(),
        storage_method: "file".into(),
        provisioner: "terraform".into(),
        ..Default::default()
    };
    assert_eq!(
        status(c.template_version_create(who, &ORG, new).await.map(drop)),
        403
    );
    // Closed to everybody, it is as if it were not there.
    let close = api_types::UpdateTemplateMeta {
        disable_everyone_group_access: Some(true),
        ..Default::default()
    };
    c.template_update(&d.owner.who, id, close).await.unwrap();
    assert_eq!(status(c.template_read(who, id).await.map(drop)), 404);
    assert_eq!(
        status(c.template_version_read(who, version).await.map(drop)),
        404
    );
    assert!(c.template_list(who, None, "").await.unwrap().is_empty());
    let denied = d.create(&d.member, &template, "dev").await.map(drop);
    assert_eq!(status(denied), 400);
}

#[tokio::test]
async fn dry_runs_are_their_initiators() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let version = template.active_version_id;
    let c = &d.control;
    let request = || CreateTemplateVersionDryRunRequest::default();
    let job = c
        .template_version_dry_run_create(&d.member.who, version, request())
        .await
        .unwrap();
    let stranger = testkit::user(&d.db.store, "stranger", &[]).await;
    let read = |who| c.template_version_dry_run_read(who, version, job.id);
    assert_eq!(status(read(&stranger.who).await.map(drop)), 404);
    assert_eq!(status(read(&d.member.who).await.map(drop)), 200);
    let matched = c
        .template_version_dry_run_matched(&d.member.who, version, job.id)
        .await
        .unwrap();
    assert_eq!(matched.available, 1);
    assert_eq!(
        status(
            c.template_version_dry_run_cancel(&stranger.who, version, job.id)
                .await
        ),
        404
    );
    let early = c
        .template_version_dry_run_resources(&d.member.who, version, job.id)
        .await;
    assert_eq!(status(early.map(drop)), 400);
    d.dry_run().await;
    let found = c
        .template_version_dry_run_resources(&d.member.who, version, job.id)
        .await
        .unwrap();
    assert_eq!(found[0].name, "dev");
    assert_eq!(
        status(
            c.template_version_dry_run_cancel(&d.member.who, version, job.id)
                .await
        ),
        400
    );
    let missing = c
        .template_version_dry_run_read(&d.member.who, version, Uuid::new_v4())
        .await;
    assert_eq!(status(missing.map(drop)), 404);
}
