//! The ways in which OpenTofu finds and runs the provider.

use std::process::{Command, Stdio};

use crate::tofu::{self, Workdir, mirror, platform, text};

const TEMPLATE: &str = r#"
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
  }
}
data "coder_workspace" "me" {}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
}
output "name" {
  value = data.coder_workspace.me.name
}
"#;

#[test]
fn an_override_needs_no_init() {
    let Some(tofu) = tofu::find() else { return };
    let mut workdir = Workdir::ours(tofu);
    workdir.write("main.tf", TEMPLATE);
    workdir.set("CODER_WORKSPACE_NAME", "dev");
    let output = workdir.run(&["apply", "-no-color", "-auto-approve"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(workdir.json(&["output", "-json"])["name"]["value"], "dev");
    assert!(!workdir.path(".terraform").exists());
    let output = workdir.run(&["destroy", "-no-color", "-auto-approve"]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_mirror_is_installed_from_and_several_builds_share_a_cache() {
    let Some(tofu) = tofu::find() else { return };
    let shared = tempfile::tempdir().unwrap();
    let cache = shared.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let place = format!("registry.opentofu.org/coder/coder/2.18.0/{}", platform());
    let place = shared.path().join("mirror").join(place);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(
        tofu::provider(),
        place.join("terraform-provider-coder_v2.18.0"),
    )
    .unwrap();
    let config = mirror(&shared.path().join("mirror"));
    let config = format!(
        "{config}plugin_cache_dir = \"{}\"\nplugin_cache_may_break_dependency_lock_file = true\n",
        cache.display()
    );

    let build = || {
        let workdir = Workdir::new(tofu, &config);
        workdir.write("main.tf", TEMPLATE);
        for arguments in [
            &["init", "-no-color"][..],
            &["apply", "-no-color", "-auto-approve"],
        ] {
            let output = workdir.run(arguments);
            assert!(output.status.success(), "{}", text(&output));
        }
        let lock = std::fs::read_to_string(workdir.path(".terraform.lock.hcl")).unwrap();
        assert!(lock.contains("2.18.0"), "{lock}");
    };
    // The first fills the cache: OpenTofu itself guards it against several that fill it at once no more than this.
    build();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(build);
        }
    });
}

#[test]
fn by_hand_it_says_what_it_is() {
    let output = Command::new(tofu::provider())
        .env_remove("TF_PLUGIN_MAGIC_COOKIE")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(
        text(&output).contains("not run by hand"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_broken_client_certificate_is_named() {
    let output = Command::new(tofu::provider())
        .env(
            "TF_PLUGIN_MAGIC_COOKIE",
            "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
        )
        .env(
            "PLUGIN_CLIENT_CERT",
            "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n",
        )
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(
        text(&output).contains("PLUGIN_CLIENT_CERT"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_host_can_attach_to_one_that_runs_and_ending_it_leaves_nothing() {
    use std::io::BufRead as _;
    let Some(tofu) = tofu::find() else { return };
    let sockets = tempfile::tempdir().unwrap();
    let mut provider = Command::new(tofu::provider())
        .arg("-debug")
        .env("TMPDIR", sockets.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(provider.stdout.take().unwrap()).lines();
    let attach = lines.by_ref().map(Result::unwrap).find_map(|line| {
        Some(
            line.strip_prefix("TF_REATTACH_PROVIDERS='")?
                .strip_suffix('\'')?
                .to_owned(),
        )
    });
    // OpenTofu looks the address up under its own registry's name.
    let attach = attach
        .unwrap()
        .replace("registry.terraform.io", "registry.opentofu.org");

    let mut workdir = Workdir::new(tofu, &mirror(sockets.path()));
    workdir.write("main.tf", TEMPLATE);
    workdir.set("TF_REATTACH_PROVIDERS", &attach);
    for arguments in [
        &["init", "-no-color"][..],
        &["apply", "-no-color", "-auto-approve"],
    ] {
        let output = workdir.run(arguments);
        assert!(output.status.success(), "{}", text(&output));
    }
    let kill = Command::new("kill")
        .arg(provider.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    provider.wait().unwrap();
    assert_eq!(sockets.path().read_dir().unwrap().count(), 0);
}
