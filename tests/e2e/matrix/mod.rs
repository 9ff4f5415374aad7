//! The interoperation matrix: every cell of {our command line, the peer's} ×
//! {our server, the peer's} × {our agent, the peer's}, by a direct path and by
//! the relay alone. `cargo test -p e2e -- matrix` runs it.
//!
//! `CODER_TEST_MATRIX_MIB` sets how much each cell copies each way.

mod cell;
mod fleet;
mod ports;
mod speed;
mod tools;

use std::path::PathBuf;

use anyhow::{Context, Result};
use e2e::{binaries, peers::Peers};
use libtest_mimic::Trial;

pub use cell::noise;

use cell::Cell;

/// Who made a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Ours,
    Theirs,
}

impl Maker {
    const BOTH: [Self; 2] = [Self::Ours, Self::Theirs];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "our",
            Self::Theirs => "go",
        }
    }

    /// The command line, and agent, of this maker.
    fn client(self, peers: &Peers) -> PathBuf {
        match self {
            Self::Ours => binaries::coder_slim(),
            Self::Theirs => peers.slim(),
        }
    }
}

/// One trial for each cell.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for server in Maker::BOTH {
        for agent in Maker::BOTH {
            for client in Maker::BOTH {
                let name = format!(
                    "matrix::{}_client_{}_server_{}_agent",
                    client.name(),
                    server.name(),
                    agent.name()
                );
                trials.push(crate::trial(&name, move || run(client, server, agent)));
            }
        }
    }
    trials
}

fn run(client: Maker, server: Maker, agent: Maker) -> Result<()> {
    let Some(peers) = Peers::find() else {
        return Ok(());
    };
    let Some(fleet) = fleet::fleet(server, &peers)? else {
        return Ok(());
    };
    let cell = Cell::new(fleet, client.client(&peers), client, agent)?;
    for relayed in [false, true] {
        let path = if relayed { "relay" } else { "direct" };
        cell.commands(relayed)
            .and_then(|()| cell.copies(relayed))
            .and_then(|()| cell.pings(relayed))
            .and_then(|()| tools::all(&cell, relayed))
            .and_then(|()| ports::forwarded(&cell, relayed))
            .with_context(|| format!("by {path}"))?;
    }
    speed::all(&cell)
}
