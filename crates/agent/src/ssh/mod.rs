//! The SSH server of the agent. It serves any byte stream; who may connect is
//! the tunnel's business.
//!
//! The protocol is our own rather than a library's for one reason: flow control.
//! A channel's window grows here when its consumer has read, so one stalled
//! process neither blocks the other channels of a connection nor buffers
//! without bound.

mod agent_forward;
mod auth;
mod channel;
mod cipher;
mod command;
mod connection;
mod forward;
mod host_key;
mod kex;
mod negotiate;
mod numbers;
mod pty_modes;
mod service;
mod session;
mod setup;
mod sftp;
mod transport;
mod wire;
mod x11;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::metrics;
use crate::workspace::Workspace;
use connection::Settings;
use host_key::HostKey;

/// Serves SSH clients of one workspace.
#[derive(Clone)]
pub struct Server {
    workspace: Arc<Workspace>,
    host_key: Arc<HostKey>,
}

impl Server {
    /// A server with the host key of the workspace's names.
    pub fn new(workspace: Arc<Workspace>) -> Self {
        let host_key = match workspace.manifest() {
            Some(m) => HostKey::derive(&m.owner_name, &m.workspace_name, &m.agent_name),
            None => HostKey::derive("", "", ""),
        };
        Self {
            workspace,
            host_key: Arc::new(host_key),
        }
    }

    /// Serves one client, of whom `ip` is shown in the connection log.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, ip: String) {
        // The client is asked three times within the longest allowed silence.
        let settings = Settings {
            keepalive: self.workspace.config.ssh_max_timeout / 3,
        };
        let service = service::ClientService::new(self.workspace.clone(), ip);
        let cancel = self.workspace.shutdown.clone();
        let served =
            connection::serve(stream, self.host_key.clone(), settings, service, cancel).await;
        match served {
            Ok(()) => tracing::debug!("SSH client left"),
            Err(error) => {
                self.workspace.metrics.count(metrics::name::SSH_FAILED, &[]);
                tracing::debug!(%error, "SSH connection ended");
            }
        }
    }
}
