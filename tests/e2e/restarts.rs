//! Nothing committed is lost, whoever is killed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{binaries, command::eventually, server::Server};
use nix::sys::signal::{Signal, kill};

use crate::world;

/// The workspace's latest build, as the API tells it.
fn latest_build(server: &Server, name: &str) -> Result<serde_json::Value> {
    let path = format!("/api/v2/users/me/workspace/{name}");
    Ok(server.api("GET", &path, "")?.json()?["latest_build"].clone())
}

pub fn server_killed_while_agent_runs() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    world::push(&server, "process", None)?;
    server
        .cli(["create", "survivor", "-t", "process", "-y"])
        .run()?
        .ok()?;
    server.cli(["ssh", "survivor", "true"]).run()?.ok()?;
    server.stop(Signal::SIGKILL)?;
    server.boot()?;
    let out = server
        .cli(["ssh", "survivor", "--", "echo alive"])
        .run()?
        .ok()?;
    ensure!(out.text().contains("alive"), "{}", out.all());
    server.cli(["delete", "survivor", "-y"]).run()?.ok()?;
    let code = server.stop(Signal::SIGINT)?;
    ensure!(
        code == Some(0),
        "a graceful stop exits with 0, not {code:?}"
    );
    Ok(())
}

pub fn server_killed_during_apply() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    let root = world::workspaces_root(&server);
    world::push_slow(&server, "slow", 15)?;
    server
        .cli(["create", "cut", "-t", "slow", "-y", "--no-wait"])
        .run()?
        .ok()?;
    eventually("the apply is under way", Duration::from_secs(30), || {
        Ok(std::fs::read_dir(&root)
            .is_ok_and(|mut d| d.next().is_some())
            .then_some(()))
    })?;
    server.stop(Signal::SIGKILL)?;
    server.boot()?;
    let build = eventually("the job reaches an end", Duration::from_secs(90), || {
        let build = latest_build(&server, "cut")?;
        let status = build["job"]["status"].as_str().unwrap_or_default();
        Ok(matches!(status, "failed" | "canceled" | "succeeded").then_some(build))
    })?;
    ensure!(build["job"]["status"] == "failed", "{}", build["job"]);
    let error = build["job"]["error"].as_str().context("no error text")?;
    ensure!(!error.is_empty(), "the job does not say why it failed");
    // The workspace can be brought back, and removed without a trace.
    server.cli(["delete", "cut", "-y"]).run()?.ok()?;
    eventually("its process is gone", Duration::from_secs(30), || {
        Ok(e2e::processes::with_home_under(&root)
            .is_empty()
            .then_some(()))
    })
    .inspect_err(|_| world::stop_workspaces(&root))?;
    Ok(())
}

pub fn postgres_killed() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    world::push(&server, "process", None)?;
    let pid = server.pid().context("the server runs")?;
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let postgres = e2e::processes::descendants(pid.as_raw())
        .into_iter()
        .find(|p| e2e::processes::name(*p) == "postgres")
        .with_context(|| format!("no postgres among the children: {children}"))?;
    kill(nix::unistd::Pid::from_raw(postgres), Signal::SIGKILL)?;
    eventually("the database is back", Duration::from_secs(30), || {
        // Not users/me, whose session the server may remember.
        let answer = server.api("GET", "/api/v2/workspaces", "")?;
        Ok((answer.status == 200).then_some(()))
    })?;
    server
        .cli(["create", "after", "-t", "process", "-y"])
        .run()?
        .ok()?;
    server.cli(["ssh", "after", "true"]).run()?.ok()?;
    server.cli(["delete", "after", "-y"]).run()?.ok()?;
    Ok(())
}
