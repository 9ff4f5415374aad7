//! Templates and their versions.

use api_types::{CreateTemplateRequest, CreateTemplateVersionRequest, UpdateTemplateMeta};
use control::TAR;
use provisioner::JobSource as _;
use rpc::proto::provisioner::TemplateVariable;
use rpc::proto::provisionerd::{FailedJob, Log, UpdateJobRequest};
use store::provisioner_job_logs::LogRange;
use store::template_versions::VersionFilter;

use crate::support::{Deployment, ORG, parameter};

#[tokio::test]
async fn an_import_becomes_a_template() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    let version = d.version(who, None).await;
    assert_eq!(version.job.status.as_str(), "pending");
    assert_eq!(version.matched_provisioners.as_ref().unwrap().available, 1);
    assert_eq!(
        d.control
            .template_version_parameters(who, version.id)
            .await
            .unwrap_err()
            .status(),
        425
    );

    let version = {
        let job = d.acquire().await;
        assert!(!job.template_source_archive.is_empty());
        let update = UpdateJobRequest {
            job_id: job.job_id.clone(),
            readme: b"# Hello".to_vec(),
            logs: vec![Log {
                stage: "Setting up".into(),
                output: "one\0".into(),
                ..Default::default()
            }],
            template_variables: vec![TemplateVariable {
                name: "size".into(),
                default_value: "3".into(),
                sensitive: true,
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = d.jobs.update(update).await.unwrap();
        assert_eq!(
            (answer.canceled, answer.variable_values[0].value.as_str()),
            (false, "3")
        );
        d.complete(
            &job,
            rpc::proto::provisionerd::completed_job::Type::TemplateImport(
                rpc::proto::provisionerd::completed_job::TemplateImport {
                    start_resources: vec![crate::support::machine()],
                    rich_parameters: vec![parameter("region", Some("eu"))],
                    ..Default::default()
                },
            ),
        )
        .await;
        d.control
            .template_version_read(who, version.id)
            .await
            .unwrap()
    };
    assert_eq!(
        (version.job.status.as_str(), version.readme.as_str()),
        ("succeeded", "# Hello")
    );
    let logs = d
        .control
        .job_logs(version.job.id, LogRange::default())
        .await
        .unwrap();
    assert_eq!((logs.len(), logs[0].output.as_str()), (1, "one"));
    let variables = d
        .control
        .template_version_variables(who, version.id)
        .await
        .unwrap();
    assert_eq!(variables[0].value, "*redacted*");
    let parameters = d
        .control
        .template_version_parameters(who, version.id)
        .await
        .unwrap();
    assert_eq!(parameters[0].name, "region");
    let resources = d
        .control
        .template_version_resources(who, version.id)
        .await
        .unwrap();
    assert_eq!(resources[0].agents[0].name, "main");

    let request = CreateTemplateRequest {
        name: "host".into(),
        template_version_id: version.id,
        ..Default::default()
    };
    let template = d
        .control
        .template_create(who, &ORG, request.clone())
        .await
        .unwrap();
    assert_eq!(template.autostart_requirement.days_of_week.len(), 7);
    // The version is taken now.
    assert_eq!(
        d.control
            .template_create(who, &ORG, request)
            .await
            .unwrap_err()
            .status(),
        400
    );
    // Members see it by the Everyone group.
    let seen = d
        .control
        .template_list(&d.member.who, Some(&ORG), "exact_name:host")
        .await
        .unwrap();
    assert_eq!(seen[0].id, template.id);
    assert!(seen[0].build_time_stats.contains_key("start"));
}

#[tokio::test]
async fn names_are_unique_without_regard_to_case() {
    let d = Deployment::new().await;
    d.template("host", vec![]).await;
    let version = d.imported(vec![]).await;
    let request = CreateTemplateRequest {
        name: "HOST".into(),
        template_version_id: version.id,
        ..Default::default()
    };
    let error = d
        .control
        .template_create(&d.owner.who, &ORG, request)
        .await
        .unwrap_err();
    assert_eq!(
        (error.status(), error.validations[0].field.as_str()),
        (409, "name")
    );
}

#[tokio::test]
async fn missing_variables_have_a_code_and_can_be_read() {
    let d = Deployment::new().await;
    let version = d.version(&d.owner.who, None).await;
    let job = d.acquire().await;
    let update = UpdateJobRequest {
        job_id: job.job_id.clone(),
        template_variables: vec![TemplateVariable {
            name: "token".into(),
            required: true,
            ..Default::default()
        }],
        ..Default::default()
    };
    let error = d.jobs.update(update).await.unwrap_err().to_string();
    assert!(error.contains("token"), "{error}");
    let failed = FailedJob {
        job_id: job.job_id,
        error,
        ..Default::default()
    };
    d.jobs.fail(failed).await.unwrap();
    let version = d
        .control
        .template_version_read(&d.owner.who, version.id)
        .await
        .unwrap();
    assert_eq!(
        version.job.error_code.as_str(),
        "REQUIRED_TEMPLATE_VARIABLES"
    );
    let variables = d
        .control
        .template_version_variables(&d.owner.who, version.id)
        .await
        .unwrap();
    assert!(variables[0].required);
}

#[tokio::test]
async fn promotion_and_archiving() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    let template = d.template("host", vec![]).await;
    let second = d.imported_for(Some(template.id), vec![]).await;
    let foreign = d.imported(vec![]).await;
    let promote = |v| d.control.template_promote(who, template.id, v);
    assert_eq!(promote(foreign.id).await.unwrap_err().status(), 400);
    let unfinished = d.version(who, Some(template.id)).await;
    assert_eq!(promote(unfinished.id).await.unwrap_err().status(), 403);
    // The active version stays; the other goes and comes back.
    let archive = |v, on| d.control.template_version_archive(who, v, on);
    assert_eq!(
        archive(template.active_version_id, true)
            .await
            .unwrap_err()
            .status(),
        400
    );
    archive(second.id, true).await.unwrap();
    assert_eq!(promote(second.id).await.unwrap_err().status(), 400);
    archive(second.id, false).await.unwrap();
    promote(second.id).await.unwrap();
    let now = d.control.template_read(who, template.id).await.unwrap();
    assert_eq!(now.active_version_id, second.id);
    let gone = d
        .control
        .template_versions_archive(who, template.id, true)
        .await
        .unwrap();
    assert_eq!(gone, [template.active_version_id]);
    let by = VersionFilter::default();
    let left = d
        .control
        .template_version_list(who, template.id, &by)
        .await
        .unwrap();
    assert_eq!(left.len(), 2);
}

#[tokio::test]
async fn a_template_in_use_stays() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    d.running(&d.member, &template, "dev").await;
    let error = d
        .control
        .template_delete(&d.owner.who, template.id)
        .await
        .unwrap_err();
    assert_eq!(error.status(), 400);
    let unused = d.template("other", vec![]).await;
    d.control
        .template_delete(&d.owner.who, unused.id)
        .await
        .unwrap();
    assert_eq!(
        d.control
            .template_read(&d.owner.who, unused.id)
            .await
            .unwrap_err()
            .status(),
        404
    );
}

#[tokio::test]
async fn edits_are_audited_in_their_transaction() {
    let d = Deployment::new().await;
    let template = d.template("host", vec![]).await;
    let edit = UpdateTemplateMeta {
        description: Some("new".into()),
        ..Default::default()
    };
    d.control
        .template_update(&d.owner.who, template.id, edit)
        .await
        .unwrap();
    let row =
        d.db.query_one(
            "SELECT diff ->> 'description' FROM audit_logs
             WHERE resource_type = 'template' AND action = 'write'",
            &[],
        )
        .await
        .unwrap();
    assert!(row.get::<_, String>(0).contains("new"));
}

#[tokio::test]
async fn files_are_stored_once_for_each_user_and_guarded() {
    let d = Deployment::new().await;
    let tar = || provisioner::starters::ALL[0].tar();
    let (first, new) = d
        .control
        .file_create(&d.member.who, TAR, tar())
        .await
        .unwrap();
    assert!(new);
    let (again, new) = d
        .control
        .file_create(&d.member.who, TAR, tar())
        .await
        .unwrap();
    assert_eq!((again.hash, new), (first.hash, false));
    let zip = d
        .control
        .file_read(&d.member.who, first.hash, "zip")
        .await
        .unwrap();
    assert_eq!(zip.0, "application/zip");
    let other = testkit::user(&d.db.store, "other", &[]).await;
    assert_eq!(
        d.control
            .file_read(&other.who, first.hash, "")
            .await
            .unwrap_err()
            .status(),
        404
    );
    for (kind, data, status) in [
        ("text/plain", vec![], 400),
        ("application/zip", b"garbage".to_vec(), 400),
        (TAR, vec![0; control::MAX_UPLOAD + 1], 413),
    ] {
        let error = d
            .control
            .file_create(&d.member.who, kind, data)
            .await
            .unwrap_err();
        assert_eq!(error.status(), status, "{kind}");
    }
}

#[tokio::test]
async fn bad_versions_are_refused() {
    let d = Deployment::new().await;
    let good = CreateTemplateVersionRequest {
        example_id: "host".into(),
        storage_method: "file".into(),
        provisioner: "terraform".into(),
        ..Default::default()
    };
    let create = |r| d.control.template_version_create(&d.owner.who, &ORG, r);
    create(good.clone()).await.unwrap();
    let with = |f: fn(&mut CreateTemplateVersionRequest)| {
        let mut r = good.clone();
        f(&mut r);
        r
    };
    for (request, status) in [
        (with(|r| r.name = "a b".into()), 400),
        (with(|r| r.message = "\0".into()), 400),
        (with(|r| r.example_id = "nothing".into()), 400),
        (with(|r| r.storage_method = "s3".into()), 400),
        (with(|r| r.template_id = Some(uuid::Uuid::new_v4())), 404),
        (
            with(|r| {
                r.example_id.clear();
                r.file_id = Some(uuid::Uuid::new_v4());
            }),
            404,
        ),
    ] {
        assert_eq!(create(request).await.unwrap_err().status(), status);
    }
}

#[tokio::test]
async fn what_a_template_tells_agents_is_read_from_its_archive() {
    let d = Deployment::new().await;
    let who = &d.owner.who;
    let archive = |files: &[(&str, &[u8])]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *text).unwrap();
        }
        tar.into_inner().unwrap()
    };
    let long = vec![b'x'; 70 << 10];
    for (files, told) in [
        (
            &[
                ("main.tf", &b""[..]),
                ("AGENTS.md", b" Use make.\r\n\0\xff"),
            ][..],
            "Use make.\n\u{fffd}",
        ),
        (&[("./AGENTS.md", b"Dotted.")], "Dotted."),
        (
            &[
                ("docs/AGENTS.md", b"Not here."),
                ("agents.md", b"Nor here."),
            ],
            "",
        ),
        (&[("main.tf", b"")], ""),
        (
            &[("AGENTS.md", &long[..])],
            std::str::from_utf8(&long[..64 << 10]).unwrap(),
        ),
    ] {
        let made = d.version_of(who, None, archive(files)).await;
        let sql = "SELECT agent_instructions FROM template_versions WHERE id = $1";
        let row = d.db.store.query_one(sql, &[&made.id]).await;
        assert_eq!(row.unwrap().get::<_, String>(0), told);
    }
}
