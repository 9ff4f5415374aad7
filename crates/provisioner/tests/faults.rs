//! What goes wrong around Terraform, played by scripts in its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail so"
)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpc::proto::provisionerd::{AcquiredJob, acquired_job, failed_job};
use support::{End, Rig, archive, build};

const TEMPLATE: &str = "resource \"terraform_data\" \"x\" {}\n";
const STATE: &str = r#"{"version":4,"serial":1,"lineage":"x","resources":[]}"#;

/// A program that answers like OpenTofu when asked for its version, and else runs `script`.
fn fake(dir: &Path, script: &str) -> PathBuf {
    let path = dir.join("tofu");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = version ]; then echo '{{\"terraform_version\":\"1.6.2\"}}'; exit; fi\n{script}\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn rig(dir: &Path, script: &str) -> Rig {
    Rig::new(&fake(dir, script), Path::new("/bin/true"), |config| {
        config.limits.output_bytes = 8 << 20;
        config.drain = Duration::from_millis(50);
    })
}

/// A script's word that it is where the test wants it: `{HERE}` in the script.
const HERE: &str = "touch \"$(dirname \"$0\")/here\"";

/// Waits until a script has come to [`HERE`].
async fn is_here(dir: &Path) {
    while !dir.join("here").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn state_of(failed: &rpc::proto::provisionerd::FailedJob) -> String {
    match &failed.r#type {
        Some(failed_job::Type::WorkspaceBuild(build)) => {
            String::from_utf8_lossy(&build.state).into_owned()
        }
        other => panic!("{other:?}"),
    }
}

fn job(id: &str) -> AcquiredJob {
    AcquiredJob {
        job_id: id.into(),
        template_source_archive: archive(&[("main.tf", TEMPLATE)]),
        r#type: Some(acquired_job::Type::WorkspaceBuild(build(0, vec![], &[]))),
        ..AcquiredJob::default()
    }
}

#[tokio::test]
async fn a_crash_keeps_the_state_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        format!("echo '{STATE}' > terraform.tfstate; echo 'panic: oh no' >&2; kill -ABRT $$");
    let rig = rig(dir.path(), &script);
    let failed = rig
        .build(archive(&[("main.tf", TEMPLATE)]), 0, vec![], &[])
        .await
        .unwrap_err();
    assert!(
        failed.error.contains("ended by signal 6") && failed.error.contains("oh no"),
        "{}",
        failed.error
    );
    assert_eq!(state_of(&failed).trim(), STATE);
}

#[tokio::test]
async fn a_job_that_was_ended_meanwhile_hands_in_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), &format!("echo '{STATE}' > terraform.tfstate"));
    *rig.source.gone.lock().unwrap() = true;
    let failed = rig
        .build(archive(&[("main.tf", TEMPLATE)]), 0, vec![], &[])
        .await
        .unwrap_err();
    assert_eq!(state_of(&failed).trim(), STATE);
}

#[tokio::test]
async fn half_a_state_is_not_handed_in_and_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(
        dir.path(),
        "printf '{\"version\":4,\"res' > terraform.tfstate; exit 1",
    );
    let failed = rig
        .build(archive(&[("main.tf", TEMPLATE)]), 0, vec![], &[])
        .await
        .unwrap_err();
    assert_eq!(state_of(&failed), "");
    assert!(failed.error.contains("is not whole"), "{}", failed.error);
    rig.stop.cancel();
    rig.daemon.await.unwrap();
    let left = std::fs::read_dir(rig.cache.path().join("work"))
        .unwrap()
        .count();
    assert_eq!(left, 1, "the session was removed");
}

#[tokio::test]
async fn the_error_names_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"echo '{"@level":"error","@message":"Error: Unsupported argument","type":"diagnostic","diagnostic":{"severity":"error","summary":"Unsupported argument","detail":"An argument named \"colour\" is not expected here.","range":{"filename":"main.tf","start":{"line":7}},"snippet":{"context":"resource \"a\" \"b\"","code":"  colour = 1","start_line":7,"values":[]}}}'; exit 1"#;
    let rig = rig(dir.path(), script);
    let failed = rig
        .import(archive(&[("main.tf", TEMPLATE)]))
        .await
        .unwrap_err();
    assert!(failed.error.contains("main.tf line 7"), "{}", failed.error);
    assert!(rig.source.log_text().contains("7:   colour = 1"));
}

#[tokio::test]
async fn templates_that_cannot_be_read_say_where() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), "exit 1");
    let broken = "resource \"a\" \"b\" {\n  x = [1,\n}\n";
    let failed = rig
        .import(archive(&[("sub.tf", broken)]))
        .await
        .unwrap_err();
    assert!(failed.error.contains("sub.tf line 3"), "{}", failed.error);
    let failed = rig
        .import(archive(&[("README.md", "# nothing")]))
        .await
        .unwrap_err();
    assert!(failed.error.contains("no resources"), "{}", failed.error);
    let failed = rig.import(vec![1, 2, 3]).await.unwrap_err();
    assert!(!failed.error.is_empty());
    let many: Vec<_> = (0..10_001).map(|n| format!("f{n}")).collect();
    let many: Vec<_> = many.iter().map(|n| (n.as_str(), "")).collect();
    let failed = rig.import(archive(&many)).await.unwrap_err();
    assert!(
        failed.error.contains("more than 10000 entries"),
        "{}",
        failed.error
    );
}

#[tokio::test]
async fn missing_variables_have_a_code() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), "exit 1");
    let template =
        format!("{TEMPLATE}variable \"region\" {{}}\nvariable \"zone\" {{ default = \"\" }}\n");
    let failed = rig
        .import(archive(&[("main.tf", &template)]))
        .await
        .unwrap_err();
    assert_eq!(failed.error_code, "REQUIRED_TEMPLATE_VARIABLES");
    assert!(failed.error.ends_with("region"), "{}", failed.error);
    let updates = rig.source.updates.lock().unwrap();
    let declared = updates
        .iter()
        .find(|u| !u.template_variables.is_empty())
        .unwrap();
    assert_eq!(declared.template_variables.len(), 2);
}

#[tokio::test]
async fn cancelling_reaches_terraform() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "trap 'echo \"{}\" > terraform.tfstate; exit 1' INT; {HERE}; while true; do sleep 0.05; done",
        STATE.replace('"', "\\\"")
    );
    let rig = rig(dir.path(), &script);
    rig.source.give(job("b"));
    is_here(dir.path()).await;
    rig.source.cancelled.lock().unwrap().push("b".into());
    let End::Failed(failed) = rig.source.ended("b").await else {
        panic!("it was not cancelled")
    };
    assert_eq!(failed.error, "", "a cancelled job has no error of its own");
    assert_eq!(state_of(&failed).trim(), STATE);
}

#[tokio::test]
async fn what_hangs_is_killed_and_stopping_the_daemon_ends_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("trap '' INT TERM; {HERE}; while true; do sleep 0.05; done");
    let tofu = fake(dir.path(), &script);
    let rig = Rig::new(&tofu, Path::new("/bin/true"), |config| {
        config.limits.interrupt_grace = Duration::from_millis(300);
        config.drain = Duration::from_millis(50);
    });
    rig.source.give(job("b"));
    is_here(dir.path()).await;
    rig.stop.cancel();
    let End::Failed(failed) = rig.source.ended("b").await else {
        panic!("it was not stopped")
    };
    assert!(
        failed
            .error
            .starts_with("provisioner daemon was shutdown gracefully"),
        "{}",
        failed.error
    );
    assert!(failed.error.contains("killed"), "{}", failed.error);
    tokio::time::timeout(Duration::from_mins(1), rig.daemon)
        .await
        .unwrap()
        .unwrap();
    let left = std::fs::read_dir(rig.cache.path().join("work"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "sessions were left behind");
}

#[tokio::test]
async fn megabytes_of_output_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(
        dir.path(),
        "head -c 3000000 /dev/zero | tr '\\0' 'x'; for i in $(seq 3000); do printf '%0900d\\n' $i; done; exit 1",
    );
    let failed = rig
        .build(archive(&[("main.tf", TEMPLATE)]), 0, vec![], &[])
        .await
        .unwrap_err();
    assert!(failed.error.contains("exit status 1"), "{}", failed.error);
    let logs = rig.source.logs.lock().unwrap().clone();
    let bytes: usize = logs.iter().map(|l| l.output.len()).sum();
    assert!(bytes < 1_100_000, "{bytes} bytes were logged");
    assert!(logs.iter().any(|l| l.output == provisioner::log::OVERFLOW));
    let endless = rig_with_endless(dir.path()).await;
    assert!(endless.contains("printed more than"), "{endless}");
}

async fn rig_with_endless(dir: &Path) -> String {
    let rig = rig(dir, "exec yes");
    let failed = rig
        .build(archive(&[("main.tf", TEMPLATE)]), 0, vec![], &[])
        .await
        .unwrap_err();
    failed.error
}

#[tokio::test]
async fn no_program_is_a_clear_error() {
    let rig = Rig::new(
        Path::new("/nonexistent/tofu"),
        Path::new("/bin/true"),
        |_| {},
    );
    let failed = rig
        .build(archive(&[("main.tf", TEMPLATE)]), 0, vec![], &[])
        .await
        .unwrap_err();
    assert!(
        failed.error.contains("/nonexistent/tofu"),
        "{}",
        failed.error
    );
}

#[tokio::test]
async fn destroying_nothing_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), "exit 1");
    let done = rig
        .build(archive(&[("main.tf", TEMPLATE)]), 2, vec![], &[])
        .await
        .unwrap();
    assert!(done.resources.is_empty());
}

#[tokio::test]
async fn a_build_that_costs_too_much_does_not_apply() {
    let dir = tempfile::tempdir().unwrap();
    let plan = r#"{"planned_values":{"root_module":{"resources":[{"mode":"managed","type":"coder_metadata","name":"m","values":{"daily_cost":7}}]}}}"#;
    let script = format!(
        "case $1 in show) echo '{plan}';; apply) touch {}/applied;; esac",
        dir.path().display()
    );
    let rig = rig(dir.path(), &script);
    *rig.source.quota_ok.lock().unwrap() = false;
    let template = format!(
        "{TEMPLATE}terraform {{\n required_providers {{\n coder = {{ source = \"coder/coder\" }}\n }}\n}}\nresource \"coder_metadata\" \"m\" {{\n resource_id = terraform_data.x.id\n daily_cost = 7\n}}\n"
    );
    let failed = rig
        .build(archive(&[("main.tf", &template)]), 0, vec![], &[])
        .await
        .unwrap_err();
    assert_eq!(failed.error_code, "INSUFFICIENT_QUOTA");
    assert_eq!(*rig.source.costs.lock().unwrap(), [7]);
    assert!(!dir.path().join("applied").exists());
}

#[tokio::test]
async fn a_state_left_by_a_killed_process_is_handed_in() {
    let dir = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let session = cache.path().join("work/session-dead");
    std::fs::create_dir_all(session.join("template")).unwrap();
    std::fs::write(
        session.join("job.json"),
        r#"{"job_id":"old","kind":"build"}"#,
    )
    .unwrap();
    std::fs::write(session.join("template/terraform.tfstate"), STATE).unwrap();
    let tofu = fake(dir.path(), "exit 1");
    let rig = Rig::with_options(
        &tofu,
        Path::new("/bin/true"),
        |options| options.cache = cache.path().to_owned(),
        |_| {},
    );
    let End::Failed(failed) = rig.source.ended("old").await else {
        panic!("it cannot have completed")
    };
    assert_eq!(state_of(&failed), STATE);
    assert!(
        failed.error.contains("stopped by force"),
        "{}",
        failed.error
    );
    let removed = async {
        while session.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let removed = tokio::time::timeout(Duration::from_mins(1), removed).await;
    removed.expect("the session to be removed");
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_a_clear_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let options = provisioner::ToolOptions::new(file.path().join("cache"), "/bin/true".into());
    assert!(provisioner::Tools::new(options).is_err());
}

#[tokio::test]
async fn a_daemon_that_vanishes_leaves_its_state_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let script = format!(
        "trap 'sleep 0.3; echo \"{}\" > terraform.tfstate; exit 1' INT; {HERE}; while true; do sleep 0.05; done",
        STATE.replace('"', "\\\"")
    );
    let tofu = fake(dir.path(), &script);
    let start = || {
        Rig::with_options(
            &tofu,
            Path::new("/bin/true"),
            |options| options.cache = cache.path().to_owned(),
            |_| {},
        )
    };
    let first = start();
    first.source.give(job("b"));
    is_here(dir.path()).await;
    // As at the end of a process that does not wait.
    first.daemon.abort();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = start();
    let End::Failed(failed) = second.source.ended("b").await else {
        panic!("it cannot have completed")
    };
    assert_eq!(state_of(&failed).trim(), STATE);
}
