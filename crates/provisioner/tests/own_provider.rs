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
        let begin = std::time::Instant::now();
        let gone = rig.build(template, 2, again.state, &[]).await.unwrap();
        timed("delete", begin);
        assert!(gone.resources.is_empty());
    });
    eprintln!("ok");
    ExitCode::SUCCESS
}
