//! A server with two workspaces, one with each maker's agent.

use std::sync::{Mutex, OnceLock};

use anyhow::{Result, anyhow};
use e2e::{peers::Peers, server::Server};

use super::Maker;
use crate::{go_world::go_world, world};

/// A server whose workspaces run.
pub struct Fleet {
    /// The server.
    pub server: &'static Server,
}

type Slot = Mutex<Option<Option<&'static Fleet>>>;
static OURS: OnceLock<Slot> = OnceLock::new();
static THEIRS: OnceLock<Slot> = OnceLock::new();

/// Name of the workspace with this maker's agent.
pub fn workspace(agent: Maker) -> &'static str {
    match agent {
        Maker::Ours => "matrix-ours",
        Maker::Theirs => "matrix-go",
    }
}

/// The fleet of a server, made on first use; `None` where the server cannot run.
pub fn fleet(server: Maker, peers: &Peers) -> Result<Option<&'static Fleet>> {
    let cell = match server {
        Maker::Ours => &OURS,
        Maker::Theirs => &THEIRS,
    };
    let mut slot = cell
        .get_or_init(Slot::default)
        .lock()
        .map_err(|_| anyhow!("an earlier test failed while making the workspaces"))?;
    if let Some(known) = *slot {
        return Ok(known);
    }
    let server = match server {
        Maker::Ours => Some(&world::world()?.server),
        Maker::Theirs => go_world(peers)?.map(|w| &w.server),
    };
    let Some(server) = server else {
        *slot = Some(None);
        return Ok(None);
    };
    for agent in Maker::BOTH {
        let name = workspace(agent);
        world::push(server, name, Some(&agent.client(peers)))?;
        server
            .cli(["create", name, "--template", name, "-y"])
            .run()?
            .ok()?;
    }
    let fleet: &'static Fleet = Box::leak(Box::new(Fleet { server }));
    *slot = Some(Some(fleet));
    Ok(Some(fleet))
}
