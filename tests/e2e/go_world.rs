//! The other implementation's server, which several tests share: on a
//! PostgreSQL of its own, with OpenTofu under the only name that it looks for.

use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{Mutex, OnceLock},
};

use anyhow::{Result, anyhow};
use e2e::{peers::Peers, server::Server};

use crate::{postgres::Postgres, world};

/// The server and what it stands on.
pub struct GoWorld {
    /// The server.
    pub server: Server,
    postgres: Mutex<Option<Postgres>>,
}

type Slot = Mutex<Option<Option<&'static GoWorld>>>;
static WORLD: OnceLock<Slot> = OnceLock::new();

/// The shared server, started on first use; `None`, with a line that says why,
/// where it cannot run.
pub fn go_world(peers: &Peers) -> Result<Option<&'static GoWorld>> {
    let mut slot = WORLD
        .get_or_init(Slot::default)
        .lock()
        .map_err(|_| anyhow!("an earlier test failed while starting the peer's server"))?;
    if let Some(known) = *slot {
        return Ok(known);
    }
    let started = start(peers)?;
    *slot = Some(started);
    Ok(started)
}

fn start(peers: &Peers) -> Result<Option<&'static GoWorld>> {
    let Some(postgres) = Postgres::start()? else {
        return Ok(None);
    };
    let probe = Server::prepare(&peers.server(), &[])?;
    let Some(tofu) = tofu_as_terraform(&probe)? else {
        return Ok(None);
    };
    let path = std::env::var("PATH").unwrap_or_default();
    let server = Server::start(
        &peers.server(),
        &[
            ("CODER_PG_CONNECTION_URL", postgres.url()),
            ("PATH", &format!("{}:{path}", tofu.display())),
            ("TF_CLI_CONFIG_FILE", &peers.tofurc().display().to_string()),
        ],
    )?;
    // The folder of the name must outlive the server.
    std::mem::forget(probe);
    Ok(Some(Box::leak(Box::new(GoWorld {
        server,
        postgres: Mutex::new(Some(postgres)),
    }))))
}

/// A folder on whose `PATH` OpenTofu answers to the name `terraform`.
fn tofu_as_terraform(server: &Server) -> Result<Option<PathBuf>> {
    let Some(tofu) = e2e::tofu::find(server.dir())? else {
        println!("skipped: no OpenTofu (make vendor packs it)");
        return Ok(None);
    };
    let dir = server.dir().join("path");
    fs::create_dir_all(&dir)?;
    symlink(tofu, dir.join("terraform"))?;
    Ok(Some(dir))
}

/// Stops the server, its database and its workspaces.
pub fn tear_down() {
    let known = WORLD.get().and_then(|c| c.lock().ok()).and_then(|w| *w);
    let Some(Some(world)) = known else {
        return;
    };
    world::stop_workspaces(&world::workspaces_root(&world.server));
    let _ = world.server.stop(nix::sys::signal::Signal::SIGINT);
    let _ = world.postgres.lock().map(|mut p| p.take());
    let _ = fs::remove_dir_all(world.server.dir());
}
