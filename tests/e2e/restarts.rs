//! Nothing committed is lost, whoever is killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
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
    let job = ended(&server, "cut")?;
    ensure!(job["status"] == "failed", "{job}");
    let error = job["error"].as_str().context("no error text")?;
    ensure!(!error.is_empty(), "the job does not say why it failed");
    // The workspace can be brought back, and removed without a trace.
    server.cli(["delete", "cut", "-y"]).run()?.ok()?;
    gone(&root)
}

/// Waits until the job of a workspace's latest build has come to an end, and gives it.
fn ended(server: &Server, name: &str) -> Result<serde_json::Value> {
    eventually("the job reaches an end", Duration::from_secs(90), || {
        let job = latest_build(server, name)?["job"].clone();
        let status = job["status"].as_str().unwrap_or_default();
        Ok(matches!(status, "failed" | "canceled" | "succeeded").then_some(job))
    })
}

/// Waits until no process of a workspace is left.
fn gone(root: &Path) -> Result<()> {
    eventually("its process is gone", Duration::from_secs(30), || {
        let left = e2e::processes::with_home_under(root);
        Ok(left.is_empty().then_some(()))
    })
    .inspect_err(|_| world::stop_workspaces(root))
}

/// Writes a program that is OpenTofu, but whose plans stand still while the file `hold` exists
/// in `dir`. They make the file `held` meanwhile.
fn held_tofu(dir: &Path) -> Result<Option<PathBuf>> {
    let Some(tofu) = e2e::tofu::find(dir)? else {
        println!("skipped: no OpenTofu is packed");
        return Ok(None);
    };
    let path = dir.join("held-tofu");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in plan*|*' plan'*)\n  while [ -e {0}/hold ]; do \
         touch {0}/held; sleep 0.1; done;;\nesac\nexec {1} \"$@\"\n",
        dir.display(),
        tofu.display()
    );
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(Some(path))
}

/// Waits until a plan stands still, kills the server, and starts it again. The plan must be gone
/// then, though nothing let it go on.
fn killed_while_held(server: &Server, dir: &Path) -> Result<()> {
    let held = dir.join("held");
    eventually("the plan is under way", Duration::from_secs(30), || {
        Ok(held.exists().then_some(()))
    })?;
    server.stop(Signal::SIGKILL)?;
    server.boot()?;
    eventually("the plan is ended", Duration::from_secs(30), || {
        fs::remove_file(&held).or_else(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(e),
        })?;
        std::thread::sleep(Duration::from_millis(500));
        Ok((!held.exists()).then_some(()))
    })?;
    fs::remove_file(dir.join("hold"))?;
    Ok(())
}

pub fn server_killed_during_plan() -> Result<()> {
    let tools = tempfile::tempdir()?;
    let dir = tools.path();
    let Some(tofu) = held_tofu(dir)? else {
        return Ok(());
    };
    let tofu = tofu.display().to_string();
    let server = Server::start(
        &binaries::coder(),
        &[("CODER_TERRAFORM_BINARY_PATH", &tofu)],
    )?;
    let root = world::workspaces_root(&server);

    // While a version is imported.
    let template = server.dir().join("costly");
    e2e::workspace_template::write(&template, &root, None)?;
    let main = template.join("main.tf");
    let mut text = fs::read_to_string(&main)?;
    // What costs something is planned first, and applied then.
    text.push_str(
        r#"
resource "coder_metadata" "cost" {
  count       = data.coder_workspace.me.start_count
  resource_id = terraform_data.process[0].id
  daily_cost  = 1
}
"#,
    );
    fs::write(&main, text)?;
    let template = template.display().to_string();
    let push = ["templates", "push", "costly", "-d", &template, "-y"];
    fs::write(dir.join("hold"), "")?;
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| server.cli(push).run());
        killed_while_held(&server, dir)?;
        let out = pushing.join().map_err(|_| anyhow::anyhow!("panic"))??;
        ensure!(out.code != 0, "a push whose import was cut succeeded");
        anyhow::Ok(())
    })?;
    server.cli(push).run()?.ok()?;

    // While a workspace is built.
    fs::write(dir.join("hold"), "")?;
    server
        .cli(["create", "cut", "-t", "costly", "-y", "--no-wait"])
        .run()?
        .ok()?;
    killed_while_held(&server, dir)?;
    let job = ended(&server, "cut")?;
    ensure!(job["status"] == "failed", "{job}");
    let error = job["error"].as_str().context("no error text")?;
    ensure!(error.contains("stopped by force"), "{error}");
    // The same workspace can be started again, and leaves nothing.
    server.cli(["start", "cut", "-y"]).run()?.ok()?;
    server.cli(["ssh", "cut", "true"]).run()?.ok()?;
    server.cli(["delete", "cut", "-y"]).run()?.ok()?;
    gone(&root)
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
    let backends = e2e::processes::descendants(postgres);
    kill(nix::unistd::Pid::from_raw(postgres), Signal::SIGKILL)?;
    // They outlive it by a moment, in which they answer still.
    eventually("its backends end", Duration::from_secs(10), || {
        Ok((!backends.iter().copied().any(e2e::processes::runs)).then_some(()))
    })?;
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
