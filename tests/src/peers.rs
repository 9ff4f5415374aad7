//! The other implementation, where it is at hand (`CODER_TEST_PEERS`).

use std::path::PathBuf;

/// The unpacked test peers.
#[derive(Debug, Clone)]
pub struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// The peers that `CODER_TEST_PEERS` names, or a clear line and `None`.
    pub fn find() -> Option<Self> {
        let Some(folder) = std::env::var_os("CODER_TEST_PEERS").map(PathBuf::from) else {
            println!("skipped: CODER_TEST_PEERS is not set");
            return None;
        };
        let peers = Self { folder };
        if peers.server().exists() && peers.slim().exists() {
            return Some(peers);
        }
        println!("skipped: no peers in {}", peers.folder.display());
        None
    }

    /// The peer's server and whole command line.
    pub fn server(&self) -> PathBuf {
        self.folder.join("bin/coder-go")
    }

    /// The peer's client and agent.
    pub fn slim(&self) -> PathBuf {
        self.folder.join("bin/coder-go-slim")
    }

    /// A Terraform CLI configuration that finds the peer's provider.
    pub fn tofurc(&self) -> PathBuf {
        self.folder.join("tofurc-go")
    }

    /// A Terraform CLI configuration that finds kreuzwerker/docker, and leaves `coder/coder` to the server.
    pub fn docker_tofurc(&self) -> PathBuf {
        self.folder.join("tofurc")
    }
}
