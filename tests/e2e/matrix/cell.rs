//! One cell: a client, a server and an agent; what `coder` itself does there.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use e2e::{
    command::{Run, eventually},
    server::Server,
};

use super::{
    Maker,
    fleet::{self, Fleet},
};

/// Bytes that each cell copies each way when nothing else is asked for.
const DEFAULT_MIB: usize = 8;

/// A client, a workspace, and what belongs to their meeting alone.
pub struct Cell {
    /// The server.
    pub server: &'static Server,
    /// Name of the workspace.
    pub workspace: &'static str,
    /// The command line.
    pub client: PathBuf,
    /// A folder here, and a name for files there, of this cell alone.
    pub dir: PathBuf,
    /// Name of this cell's folder in the workspace.
    pub there: String,
}

impl Cell {
    /// Makes the cell's folders.
    pub fn new(fleet: &Fleet, client: PathBuf, maker: Maker, agent: Maker) -> Result<Self> {
        let there = format!("by-{}", maker.name());
        let workspace = fleet::workspace(agent);
        let dir = fleet
            .server
            .dir()
            .join(format!("matrix-{there}-{workspace}"));
        std::fs::create_dir_all(&dir)?;
        let cell = Self {
            server: fleet.server,
            workspace,
            client,
            dir,
            there,
        };
        let make = format!("mkdir -p {}", cell.there);
        cell.run(false, &["ssh", workspace, "--", &make])
            .run()?
            .ok()?;
        Ok(cell)
    }

    /// A command of this cell's client.
    pub fn run(&self, relayed: bool, args: &[&str]) -> Run {
        self.server
            .cli_of(&self.client, args.iter().copied())
            .env("CODER_DISABLE_DIRECT_CONNECTIONS", relayed.to_string())
    }

    /// A command runs in the workspace; its output and code come back.
    pub fn commands(&self, relayed: bool) -> Result<()> {
        let out = self
            .run(
                relayed,
                &[
                    "ssh",
                    self.workspace,
                    "--",
                    "echo out; echo err >&2; exit 7",
                ],
            )
            .run()?
            .expect_code(7)?;
        ensure!(
            out.text() == "out\n" && out.stderr.contains("err"),
            "{:?} {:?}",
            out.text(),
            out.stderr
        );
        Ok(())
    }

    /// Bytes go there and back unchanged.
    pub fn copies(&self, relayed: bool) -> Result<()> {
        let bytes = noise(mib()? << 20);
        let file = format!("{}/copied", self.there);
        let up = format!("cat > {file} && sha256sum {file}");
        let out = self
            .run(relayed, &["ssh", self.workspace, "--", &up])
            .input(bytes.clone())
            .run()?
            .ok()?;
        let here = Run::new(std::path::Path::new("sha256sum"), [] as [&str; 0])
            .input(bytes.clone())
            .run()?
            .ok()?;
        let sum = |text: &str| {
            text.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        ensure!(
            sum(&out.text()) == sum(&here.text()),
            "the copy there differs: {:?}",
            out.all()
        );
        let down = format!("cat {file}");
        let out = self
            .run(relayed, &["ssh", self.workspace, "--", &down])
            .run()?
            .ok()?;
        ensure!(
            out.stdout == bytes,
            "the copy back differs: {} of {} bytes",
            out.stdout.len(),
            bytes.len()
        );
        Ok(())
    }

    /// Pings are answered, and by the way that was asked for.
    pub fn pings(&self, relayed: bool) -> Result<()> {
        let wanted = if relayed { "via DERP" } else { "p2p via" };
        // A direct path is found while the relay already carries packets.
        eventually(
            &format!("an answer {wanted}"),
            std::time::Duration::from_secs(20),
            || {
                let out = self
                    .run(
                        relayed,
                        &["ping", self.workspace, "-n", "3", "--wait", "300ms"],
                    )
                    .run()?
                    .ok()?;
                Ok(out.text().contains(wanted).then_some(()))
            },
        )
    }
}

fn mib() -> Result<usize> {
    match std::env::var("CODER_TEST_MATRIX_MIB") {
        Ok(text) => text.parse().context("CODER_TEST_MATRIX_MIB"),
        Err(_) => Ok(DEFAULT_MIB),
    }
}

/// Bytes that no compression and no repetition hides a fault in.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
