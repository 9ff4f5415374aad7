//! Whole jobs with real OpenTofu and the original provider.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail so"
)]

mod support;

use std::path::PathBuf;

use support::{Rig, archive};

const START: i32 = 0;
const STOP: i32 = 1;
const DESTROY: i32 = 2;

const TEMPLATE: &str = r#"
terraform {
  required_providers { coder = { source = "coder/coder" } }
}
data "coder_workspace" "me" {}
data "coder_parameter" "size" {
  name    = "size"
  type    = "number"
  default = 3
  validation {
    min = 1
    max = 9
  }
}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
}
resource "coder_app" "web" {
  agent_id = coder_agent.main.id
  slug     = "web"
  url      = "http://localhost:1"
}
resource "terraform_data" "host" {
  count = data.coder_workspace.me.start_count
  input = { token = coder_agent.main.token, script = coder_agent.main.init_script, size = data.coder_parameter.size.value }
}
"#;

async fn programs() -> Option<(PathBuf, PathBuf)> {
    let Some(peers) = std::env::var_os("CODER_TEST_PEERS") else {
        eprintln!("skipped: CODER_TEST_PEERS is not set");
        return None;
    };
    let tofu = support::tofu().await?;
    let provider = PathBuf::from(peers).join(
        "providers-go/registry.terraform.io/coder/coder/2.18.0/linux_amd64/terraform-provider-coder_v2.18.0",
    );
    Some((tofu, provider))
}

#[tokio::test]
async fn imports_starts_stops_and_destroys() {
    let Some((tofu, provider)) = programs().await else {
        return;
    };
    let rig = Rig::new(&tofu, &provider, |_| {});
    let template = archive(&[("main.tf", TEMPLATE), ("README.md", "# Hi")]);
    let import = rig.import(template.clone()).await.unwrap();
    assert_eq!(import.rich_parameters[0].name, "size");
    assert_eq!(import.rich_parameters[0].validation_max, Some(9));
    let agent = &import.start_resources[0].agents[0];
    assert_eq!((agent.name.as_str(), agent.apps.len()), ("main", 1));
    assert!(
        import.stop_resources.is_empty(),
        "{:?}",
        import.stop_resources
    );
    assert!(import.plan.starts_with(b"{"));

    let begin = std::time::Instant::now();
    let started = rig
        .build(template.clone(), START, vec![], &[("size", "7")])
        .await
        .unwrap();
    eprintln!("start build: {:?}", begin.elapsed());
    let agent = &started.resources[0].agents[0];
    assert!(uuid::Uuid::parse_str(&agent.id).is_ok());
    assert_eq!(agent.apps[0].slug, "web");
    let state = String::from_utf8(started.state.clone()).unwrap();
    assert!(
        state.contains("run http://127.0.0.1:3000/") && state.contains("\"7\""),
        "{state}"
    );
    let stages: Vec<_> = started
        .timings
        .iter()
        .filter(|t| t.resource.starts_with("coder_stage"))
        .map(|t| t.stage.as_str())
        .collect();
    assert_eq!(stages, ["init", "plan", "apply", "graph"]);

    let stopped = rig
        .build(template.clone(), STOP, started.state, &[])
        .await
        .unwrap();
    assert!(stopped.resources.is_empty(), "{:?}", stopped.resources);
    let destroyed = rig
        .build(template, DESTROY, stopped.state, &[])
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&destroyed.state).contains("coder_agent"));
    let log = rig.source.log_text();
    for stage in [
        "Setting up",
        "Planning Infrastructure",
        "Starting workspace",
        "Cleaning Up",
    ] {
        assert!(
            log.contains(&format!("[{stage}]")),
            "{stage} is not in\n{log}"
        );
    }
    assert!(!log.contains("development overrides"), "{log}");
}

/// A template that needs another provider, a module, and pins the original provider's hashes.
const PINNED: &str = r#"
provider "registry.terraform.io/coder/coder" {
  version     = "2.1.0"
  constraints = "~> 2.1.0"
  hashes = [
    "h1:aLbEKQcxY4Phl2GbzBBQvNKtH4HWXQsXCg9hEcKnPCE=",
  ]
}
provider "registry.opentofu.org/coder/coder" {
  version     = "2.1.0"
  constraints = "~> 2.1.0"
  hashes = [
    "h1:aLbEKQcxY4Phl2GbzBBQvNKtH4HWXQsXCg9hEcKnPCE=",
  ]
}
"#;

const WITH_DOCKER: &str = r#"
terraform {
  required_providers {
    coder  = { source = "coder/coder", version = "~> 2.1.0" }
    docker = { source = "kreuzwerker/docker" }
  }
}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
}
module "app" {
  count    = 2
  source   = "./app"
  agent_id = coder_agent.main.id
  slug     = "web-${count.index}"
}
resource "terraform_data" "host" {
  input = coder_agent.main.token
}
"#;

const APP: &str = r#"
terraform {
  required_providers {
    coder = { source = "coder/coder", version = ">= 0.17, < 2.1.5" }
  }
}
variable "agent_id" {}
variable "slug" {}
resource "coder_app" "app" {
  agent_id = var.agent_id
  slug     = var.slug
  url      = "http://localhost"
}
"#;

#[tokio::test]
async fn init_runs_once_and_several_builds_share_it_without_network() {
    let Some((tofu, provider)) = programs().await else {
        return;
    };
    let peers = PathBuf::from(std::env::var_os("CODER_TEST_PEERS").unwrap());
    let dir = tempfile::tempdir().unwrap();
    let rc = dir.path().join("tofurc");
    // Only the mirror: whatever is not in it would have to come from a network that is not there.
    let mirror = format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n",
        peers.join("providers")
    );
    std::fs::write(&rc, mirror).unwrap();
    let rig = Rig::with_options(
        &tofu,
        &provider,
        |o| {
            o.env.insert("TF_CLI_CONFIG_FILE".into(), rc.clone().into());
        },
        |_| {},
    );
    let template = archive(&[
        ("main.tf", WITH_DOCKER),
        ("app/main.tf", APP),
        (".terraform.lock.hcl", PINNED),
    ]);
    let import = rig.import(template.clone()).await.unwrap();
    let agents = &import
        .start_resources
        .iter()
        .find(|r| r.name == "host")
        .unwrap()
        .agents;
    assert_eq!(agents[0].apps.len(), 2, "{agents:?}");
    assert!(import.start_modules.iter().any(|m| m.key == "app"));
    let log = rig.source.log_text();
    assert!(log.contains("kreuzwerker/docker"), "{log}");
    // From here on not even the mirror is there.
    std::fs::write(&rc, "provider_installation {\n}\n").unwrap();
    let more: Vec<_> = (0..2)
        .map(|n| {
            let mut config = provisioner::Config::new(format!("more-{n}"), rig.tools.clone());
            config.update_interval = std::time::Duration::from_millis(100);
            tokio::spawn(provisioner::Daemon::run(
                rig.source.clone(),
                config,
                rig.stop.clone(),
            ))
        })
        .collect();
    for n in 0..3 {
        rig.source.give(rpc::proto::provisionerd::AcquiredJob {
            job_id: format!("b{n}"),
            template_source_archive: template.clone(),
            r#type: Some(
                rpc::proto::provisionerd::acquired_job::Type::WorkspaceBuild(support::build(
                    START,
                    vec![],
                    &[],
                )),
            ),
            ..Default::default()
        });
    }
    for n in 0..3 {
        match rig.source.ended(&format!("b{n}")).await {
            support::End::Completed(_) => {}
            support::End::Failed(failed) => panic!("{failed:?}\n{}", rig.source.log_text()),
        }
    }
    let log = rig.source.log_text();
    assert_eq!(log.matches("those of an earlier run").count(), 3, "{log}");
    rig.stop.cancel();
    for daemon in more {
        daemon.await.unwrap();
    }
}
