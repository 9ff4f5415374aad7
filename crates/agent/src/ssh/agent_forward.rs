//! Forwarding of the client's SSH agent: a socket in the workspace whose
//! connections are channels to the client.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::connection::Peer;
use super::forward;

/// Channel type of a connection to the client's agent.
const CHANNEL: &str = "auth-agent@openssh.com";

/// A socket for programs that look for an SSH agent; gone when dropped.
#[derive(Debug)]
pub struct AgentSocket {
    directory: PathBuf,
    path: PathBuf,
    _accepting: AbortOnDropHandle<()>,
}

impl AgentSocket {
    /// Opens a socket for this client. A session without one is better than none.
    pub fn listen(peer: &Peer) -> Option<Self> {
        Self::try_listen(peer)
            .inspect_err(|error| tracing::warn!(%error, "no socket for the client's SSH agent"))
            .ok()
    }

    fn try_listen(peer: &Peer) -> std::io::Result<Self> {
        let directory =
            std::env::temp_dir().join(format!("auth-agent-{}", Uuid::new_v4().simple()));
        std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let path = directory.join("listener.sock");
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        let accepting = tokio::spawn(forward::accept_unix(
            listener,
            peer.clone(),
            CHANNEL,
            Vec::new(),
        ));
        Ok(Self {
            directory,
            path,
            _accepting: AbortOnDropHandle::new(accepting),
        })
    }

    /// Value for `SSH_AUTH_SOCK`.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        // Someone else may have cleaned up the temporary directory.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
