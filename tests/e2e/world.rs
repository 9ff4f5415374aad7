//! The deployment that most tests share, with a pushed template.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use anyhow::{Result, anyhow};
use e2e::{binaries, server::Server, workspace_template};

/// A server of ours with the template `process` pushed.
pub struct World {
    /// The server.
    pub server: Server,
}

static WORLD: OnceLock<Mutex<Option<&'static World>>> = OnceLock::new();

/// The shared deployment, started on first use.
pub fn world() -> Result<&'static World> {
    let cell = WORLD.get_or_init(|| Mutex::new(None));
    let mut slot = cell
        .lock()
        .map_err(|_| anyhow!("an earlier test failed while starting the shared server"))?;
    if let Some(world) = *slot {
        return Ok(world);
    }
    let experiments = [("CODER_EXPERIMENTS", "mcp-server-http")];
    let server = Server::start(&binaries::coder(), &experiments)?;
    push(&server, "process", None)?;
    let world: &'static World = Box::leak(Box::new(World { server }));
    *slot = Some(world);
    Ok(world)
}

/// Stops the shared server and removes what its workspaces left running.
pub fn tear_down() {
    let Some(world) = WORLD.get().and_then(|c| c.lock().ok()).and_then(|w| *w) else {
        return;
    };
    stop_workspaces(&workspaces_root(&world.server));
    let _ = world.server.stop(nix::sys::signal::Signal::SIGINT);
    let _ = std::fs::remove_dir_all(world.server.dir());
}

/// Ends the agents of workspaces that a test left behind.
pub fn stop_workspaces(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let pid = std::fs::read_to_string(entry.path().join("pid")).unwrap_or_default();
        if let Ok(pid) = pid.trim().parse::<i32>() {
            let _ = nix::sys::signal::killpg(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
    }
}

/// Where this deployment's workspaces live.
pub fn workspaces_root(server: &Server) -> PathBuf {
    server.dir().join("ws")
}

/// Pushes the process template under `name`.
pub fn push(server: &Server, name: &str, agent: Option<&Path>) -> Result<()> {
    let dir = server.dir().join(format!("template-{name}"));
    workspace_template::write(&dir, &workspaces_root(server), agent)?;
    let dir = dir.display().to_string();
    server
        .cli(["templates", "push", name, "-d", &dir, "-y"])
        .run()?
        .ok()?;
    Ok(())
}

/// Pushes the process template with an apply that takes `seconds` longer than the process needs.
pub fn push_slow(server: &Server, name: &str, seconds: u32) -> Result<()> {
    let dir = server.dir().join(format!("template-{name}"));
    workspace_template::write(&dir, &workspaces_root(server), None)?;
    let mut text = std::fs::read_to_string(dir.join("main.tf"))?;
    text.push_str(&format!(
        r#"
resource "terraform_data" "slow" {{
  count      = data.coder_workspace.me.start_count
  depends_on = [terraform_data.process]
  provisioner "local-exec" {{
    command = "sleep {seconds}"
  }}
}}
"#
    ));
    std::fs::write(dir.join("main.tf"), text)?;
    let dir = dir.display().to_string();
    server
        .cli(["templates", "push", name, "-d", &dir, "-y"])
        .run()?
        .ok()?;
    Ok(())
}
