//! A workspace whose agent somebody starts by hand.

use std::{os::unix::process::CommandExt as _, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::{command::eventually, server::Server};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::world;

pub(crate) const TEMPLATE: &str = r#"terraform {
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

resource "coder_external_agent" "here" {
  count    = data.coder_workspace.me.start_count
  agent_id = coder_agent.main.id
}
"#;

/// Ends what was started by hand.
struct Started(std::process::Child);

impl Drop for Started {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// Makes a user with these site roles and gives a session token of theirs.
pub(crate) fn token_of(server: &Server, name: &str, roles: &[&str]) -> Result<String> {
    const PASSWORD: &str = "Another-Horse-7-Battery";
    let me = server.api("GET", "/api/v2/users/me", "")?.json()?;
    let body = serde_json::json!({
        "username": name, "email": format!("{name}@example.com"), "password": PASSWORD,
        "organization_ids": [me["organization_ids"][0]], "login_type": "password",
    });
    let made = server.api("POST", "/api/v2/users", &body.to_string())?;
    ensure!(made.status == 201, "{:?}", made.json()?);
    let roles = serde_json::json!({ "roles": roles }).to_string();
    let path = format!("/api/v2/users/{name}/roles");
    let set = server.api("PUT", &path, &roles)?;
    ensure!(set.status == 200, "{:?}", set.json()?);
    let body = serde_json::json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    let login = server.api_as("", "POST", "/api/v2/users/login", &body.to_string())?;
    let token = login.json()?["session_token"]
        .as_str()
        .context("no token")?
        .to_owned();
    Ok(token)
}

pub fn started_by_hand() -> Result<()> {
    let server = &world::world()?.server;
    let dir = server.dir().join("template-external");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("main.tf"), TEMPLATE)?;
    let dir = dir.display().to_string();
    server
        .cli(["templates", "push", "external", "-d", &dir, "-y"])
        .run()?
        .ok()?;

    // Other templates are refused, with the way out.
    let refused = server
        .cli(["external-workspaces", "create", "no", "-t", "process", "-y"])
        .run()?;
    ensure!(
        refused.code != 0 && refused.all().contains("coder create"),
        "{}",
        refused.all()
    );

    let out = server
        .cli([
            "external-workspaces",
            "create",
            "abroad",
            "-t",
            "external",
            "-y",
        ])
        .run()?
        .ok()?;
    ensure!(out.text().contains("CODER_AGENT_TOKEN="), "{}", out.all());
    let listed = server
        .cli(["external-workspaces", "list", "-c", "workspace"])
        .run()?
        .ok()?;
    ensure!(
        listed.text().contains("admin/abroad") && !listed.text().contains("shell"),
        "{}",
        listed.all()
    );

    // The command of the instructions, run as a user would.
    let out = server
        .cli([
            "external-workspaces",
            "agent-instructions",
            "abroad",
            "-o",
            "json",
        ])
        .run()?
        .ok()?;
    let told: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    let script = told["init_script"].as_str().context("no init_script")?;
    let home = server.dir().join("abroad");
    std::fs::create_dir_all(&home)?;
    let log = std::fs::File::create(home.join("agent.log"))?;
    let _agent = Started(
        Command::new("sh")
            .args(["-c", script])
            .env("HOME", &home)
            .env("BINARY_DIR", &home)
            .current_dir(&home)
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?,
    );
    eventually("the agent connects", Duration::from_secs(30), || {
        let workspace = server
            .api("GET", "/api/v2/users/me/workspace/abroad", "")?
            .json()?;
        let agent = &workspace["latest_build"]["resources"][0]["agents"][0];
        Ok((agent["status"] == "connected").then_some(()))
    })?;
    let out = server.cli(["ssh", "abroad", "--", "echo here"]).run()?;
    ensure!(out.ok()?.text().contains("here"), "no shell");

    who_may_know(server)?;
    server.cli(["delete", "abroad", "-y"]).run()?.ok()?;
    Ok(())
}

/// The token is the workspace: readers of the workspace do not get it, strangers learn nothing.
fn who_may_know(server: &Server) -> Result<()> {
    let workspace = server
        .api("GET", "/api/v2/users/me/workspace/abroad", "")?
        .json()?;
    let id = workspace["id"].as_str().context("no id")?;
    let path = |agent: &str| format!("/api/v2/workspaces/{id}/external-agent/{agent}/credentials");
    let own = server.api("GET", &path("main"), "")?;
    ensure!(own.status == 200, "{:?}", own.json()?);
    ensure!(server.api("GET", &path("other"), "")?.status == 404);
    let reader = token_of(server, "reader", &["template-admin"])?;
    let status = server.api_as(&reader, "GET", &path("main"), "")?.status;
    ensure!(
        matches!(status, 403 | 404),
        "a reader of the workspace got the token: {status}"
    );
    let stranger = token_of(server, "stranger", &["user-admin"])?;
    let status = server.api_as(&stranger, "GET", &path("main"), "")?.status;
    ensure!(
        status == 404,
        "a stranger learned of the workspace: {status}"
    );
    let other = server
        .api("GET", "/api/v2/workspaces?q=has_external_agent:false", "")?
        .json()?;
    for workspace in other["workspaces"].as_array().into_iter().flatten() {
        let path = format!(
            "/api/v2/workspaces/{}/external-agent/main/credentials",
            workspace["id"].as_str().unwrap_or_default()
        );
        ensure!(
            server.api("GET", &path, "")?.status == 404,
            "the token of an ordinary agent is not given away"
        );
    }
    Ok(())
}
