//! Whole jobs with real OpenTofu and our own provider, which this test program serves itself.
//!
//! Started under the provider's name it is the provider; that needs a `main` of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail so"
)]

mod support;

use std::process::ExitCode;

use rpc::proto::provisioner::VariableValue;
use rpc::proto::provisionerd::{acquired_job, completed_job};
use support::{Rig, archive};

const TEMPLATE: &str = include_str!("host.tf");

fn main() -> ExitCode {
    let name = std::env::args().next().unwrap_or_default();
    if terraform_provider::is_provider_name(&name) {
        return terraform_provider::serve();
    }
    if std::env::args().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let Some(tofu) = support::tofu().await else {
            return;
        };
        let provider = std::env::current_exe().unwrap();
        let rig = Rig::new(&tofu, &provider, |_| {});
        rig.tools.binary().await.unwrap();
        let template = archive(&[("main.tf", TEMPLATE)]);
        let timed = |what: &str, begin: std::time::Instant| {
            eprintln!("{what}: {} ms", begin.elapsed().as_millis());
        };
        let begin = std::time::Instant::now();
        let import = rig.import(template.clone()).await.unwrap();
        timed("import", begin);
        assert_eq!(import.start_resources[0].agents[0].name, "main");
        let begin = std::time::Instant::now();
        let started = rig.build(template.clone(), 0, vec![], &[]).await.unwrap();
        timed("start", begin);
        assert_eq!(started.resources[0].agents[0].name, "main");
        let begin = std::time::Instant::now();
        let stopped = rig
            .build(template.clone(), 1, started.state, &[])
            .await
            .unwrap();
        timed("stop", begin);
        assert!(stopped.resources.is_empty());
        let begin = std::time::Instant::now();
        let again = rig
            .build(template.clone(), 0, stopped.state, &[])
            .await
            .unwrap();
        timed("start again", begin);
        for t in again
            .timings
            .iter()
            .filter(|t| t.source == "coder" && t.action == "terraform")
        {
            let at = |t: &Option<prost_types::Timestamp>| {
                t.as_ref()
                    .map_or(0, |t| t.seconds * 1000 + i64::from(t.nanos) / 1_000_000)
            };
            eprintln!("  of it {}: {} ms", t.stage, at(&t.end) - at(&t.start));
        }
        let begin = std::time::Instant::now();
        let gone = rig.build(template, 2, again.state, &[]).await.unwrap();
        timed("delete", begin);
        assert!(gone.resources.is_empty());
        costly(&rig).await;
        broken(&rig).await;
    });
    eprintln!("ok");
    ExitCode::SUCCESS
}

/// What a build costs is committed between its plan and its apply.
async fn costly(rig: &Rig) {
    let names = VariableValue {
        name: "names".into(),
        value: "[\"a\", \"b\"]".into(),
        sensitive: true,
    };
    rig.source.variables.lock().unwrap().push(names.clone());
    let template = archive(&[("main.tf", include_str!("costly.tf"))]);
    let import = rig.import(template.clone()).await.unwrap();
    let machine = import
        .start_resources
        .iter()
        .find(|r| r.name == "machine")
        .unwrap();
    let agent = &machine.agents[0];
    assert_eq!(
        (agent.scripts.len(), agent.extra_envs[0].value.as_str()),
        (2, "a,b")
    );
    assert_eq!(machine.daily_cost, 5);
    let mut build = support::build(0, vec![], &[("label", "blue")]);
    build.variable_values.push(names);
    let kind = acquired_job::Type::WorkspaceBuild(build);
    let support::End::Completed(done) = rig.job("costly", template, kind).await else {
        panic!("the build failed: {}", rig.source.log_text());
    };
    let Some(completed_job::Type::WorkspaceBuild(done)) = done.r#type else {
        panic!("another job");
    };
    let machine = done.resources.iter().find(|r| r.name == "machine").unwrap();
    assert_eq!(
        (machine.daily_cost, machine.icon.as_str()),
        (5, "/icon/machine.svg")
    );
    assert_eq!(machine.metadata[0].value, "blue");
    assert_eq!(*rig.source.costs.lock().unwrap(), [5]);
    let stages: Vec<_> = done
        .timings
        .iter()
        .filter(|t| t.resource.starts_with("coder_stage_"))
        .map(|t| t.stage.as_str())
        .collect();
    assert_eq!(stages, ["init", "plan", "apply", "graph"]);
}

/// What OpenTofu and the provider say stands in the job's error, with its place.
async fn broken(rig: &Rig) {
    let text = "resource \"coder_agent\" \"main\" {\n  os   = \"linux\"\n  arch = \"sparc\"\n}\n";
    let failed = rig.import(archive(&[("main.tf", text)])).await.unwrap_err();
    assert!(
        failed.error.contains("required_providers"),
        "{}",
        failed.error
    );
    let declared =
        "terraform {\n  required_providers {\n    coder = { source = \"coder/coder\" }\n  }\n}\n";
    let text = &format!("{text}{declared}");
    let failed = rig.import(archive(&[("main.tf", text)])).await.unwrap_err();
    assert!(
        failed.error.contains("main.tf line 3") && failed.error.contains("arch"),
        "{}",
        failed.error
    );
    // Nobody is there to give the provider.
    let elsewhere = declared.replace(
        "  required_providers {\n",
        "  required_providers {\n    thing = { source = \"localhost:1/acme/thing\" }\n",
    );
    let text = &format!("{elsewhere}resource \"thing_x\" \"y\" {{}}\n");
    let failed = rig.import(archive(&[("main.tf", text)])).await.unwrap_err();
    assert!(
        failed.error.contains("localhost:1/acme/thing"),
        "{}",
        failed.error
    );
    let text = "resource \"terraform_data\" \"x\" {\n  input = local.nothing\n}\n";
    let failed = rig.import(archive(&[("main.tf", text)])).await.unwrap_err();
    assert!(failed.error.contains("main.tf line 2"), "{}", failed.error);
    let text = "resource \"terraform_data\" \"x\" {}\n";
    let failed = rig
        .build(
            archive(&[("main.tf", text)]),
            0,
            b"{\"version\": 4, oh".to_vec(),
            &[],
        )
        .await
        .unwrap_err();
    assert!(
        failed.error.to_lowercase().contains("state"),
        "{}",
        failed.error
    );
}
