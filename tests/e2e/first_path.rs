//! From a template to a shell, all parts ours.

use anyhow::{Result, ensure};
use e2e::command::eventually;
use std::time::Duration;

use crate::world::{self, world};

pub fn template_to_shell() -> Result<()> {
    let server = &world()?.server;
    let created = server
        .cli(["create", "first", "--template", "process", "-y"])
        .run()?
        .ok()?;
    ensure!(!created.all().contains("panicked"), "{}", created.all());

    let out = server
        .cli(["ssh", "first", "--", "echo out; echo err >&2; exit 7"])
        .run()?
        .expect_code(7)?;
    ensure!(out.text() == "out\n", "stdout: {:?}", out.text());
    ensure!(out.stderr.ends_with("err\n"), "stderr: {:?}", out.stderr);

    let out = server
        .cli([
            "ssh",
            "first",
            "--",
            "echo $FROM_TEMPLATE $CODER_WORKSPACE_NAME; cat started",
        ])
        .run()?
        .ok()?;
    ensure!(
        out.text() == "yes it is first\nstarted\n",
        "{:?}",
        out.text()
    );

    let shown = server.cli(["show", "first"]).run()?.ok()?;
    ensure!(shown.text().contains("main"), "{}", shown.text());

    server.cli(["ping", "first", "-n", "1"]).run()?.ok()?;

    server.cli(["stop", "first", "-y"]).run()?.ok()?;
    let id = server
        .api("GET", "/api/v2/users/me/workspace/first", "")?
        .json()?["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let home = world::workspaces_root(server).join(id);
    eventually("the agent's process ends", Duration::from_secs(20), || {
        Ok(e2e::processes::with_home_under(&home)
            .is_empty()
            .then_some(()))
    })?;

    // A stopped workspace starts by itself.
    let out = server
        .cli(["ssh", "first", "--", "echo back"])
        .run()?
        .ok()?;
    ensure!(out.text().ends_with("back\n"), "{:?}", out.text());

    // A value that is wrong leaves the workspace as it is.
    let wrong = ["restart", "first", "-y", "--parameter", "none=such"];
    let out = server.cli(wrong).run()?.expect_code(1)?;
    ensure!(out.all().contains("no parameter"), "{}", out.all());
    let stays = ["ssh", "--disable-autostart", "first", "true"];
    server.cli(stays).run()?.ok()?;
    server.cli(["restart", "first", "-y"]).run()?.ok()?;
    server.cli(["ssh", "first", "true"]).run()?.ok()?;
    server.cli(["delete", "first", "-y"]).run()?.ok()?;
    let gone = server.cli(["show", "first"]).run()?.expect_code(1)?;
    ensure!(gone.all().contains("no workspace"), "{}", gone.all());
    Ok(())
}

pub fn command_line() -> Result<()> {
    let server = &world()?.server;
    let out = server.cli(["whoami", "-o", "json"]).run()?.ok()?;
    let who: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    ensure!(who[0]["username"] == "admin", "{who}");

    let out = server.cli(["version", "-o", "json"]).run()?.ok()?;
    let version: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    let build = server.api("GET", "/api/v2/buildinfo", "")?.json()?;
    ensure!(version["version"] == build["version"], "{version} {build}");
    ensure!(
        version["version"]
            .as_str()
            .is_some_and(|v| v.starts_with("v2.38.")),
        "{version}"
    );

    server
        .cli(["create", "listed", "--template", "process", "-y"])
        .run()?
        .ok()?;
    let out = server.cli(["list", "-o", "json"]).run()?.ok()?;
    let list: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    ensure!(
        list.as_array()
            .is_some_and(|l| l.iter().any(|w| w["name"] == "listed")),
        "{list}"
    );
    let logs = server.cli(["logs", "listed"]).run()?.ok()?;
    ensure!(
        logs.text().contains("terraform_data.process"),
        "{}",
        logs.text()
    );

    server
        .cli(["tokens", "create", "--name", "mine"])
        .run()?
        .ok()?;
    let tokens = server.cli(["tokens", "list"]).run()?.ok()?;
    ensure!(tokens.text().contains("mine"), "{}", tokens.text());
    server.cli(["tokens", "rm", "mine"]).run()?.ok()?;

    server.cli(["favorite", "listed"]).run()?.ok()?;
    let versions = server
        .cli(["templates", "versions", "list", "process", "-o", "json"])
        .run()?
        .ok()?;
    let versions: serde_json::Value = serde_json::from_slice(&versions.stdout)?;
    ensure!(
        versions.as_array().is_some_and(|v| !v.is_empty()),
        "{versions}"
    );

    let pulled = server.dir().join("pulled");
    server
        .cli([
            "templates",
            "pull",
            "process",
            &pulled.display().to_string(),
            "-y",
        ])
        .run()?
        .ok()?;
    ensure!(pulled.join("main.tf").exists(), "main.tf was not pulled");

    let state = server.cli(["state", "pull", "listed"]).run()?.ok()?;
    ensure!(
        state.text().contains("terraform_version"),
        "{}",
        state.text()
    );
    server.cli(["delete", "listed", "-y"]).run()?.ok()?;

    let wrong = server.cli(["show", "no-such-workspace"]).run()?;
    ensure!(wrong.code == 1, "exit code {}", wrong.code);
    ensure!(!wrong.all().contains("panicked"), "{}", wrong.all());
    Ok(())
}
