//! What the agent is told when it starts.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::Client;
use parking_lot::RwLock;
use rpc::proto::agent::startup::Subsystem;

use crate::context::Config as ContextConfig;
use crate::identity::{Identity, IdentityError};

/// Settings of one agent process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The way to the control plane. With an identity, its token changes.
    session: Arc<RwLock<Client>>,
    /// How a token is got; `None` where there is one from the start.
    pub identity: Option<Identity>,
    /// Our version, semver with a leading `v`.
    pub version: String,
    /// This program, for the helpers that sessions call.
    pub executable: PathBuf,
    /// Where script logs go.
    pub log_dir: PathBuf,
    /// Parent of `coder-script-data`.
    pub script_data_dir: PathBuf,
    /// A silent SSH client is dropped after this; zero for never.
    pub ssh_max_timeout: Duration,
    /// What surrounds the agent, for display.
    pub subsystems: Vec<Subsystem>,
    /// Refuse sftp, scp, rsync and nc.
    pub block_file_transfer: bool,
    /// Refuse forwarding from the workspace to clients.
    pub block_reverse_port_forwarding: bool,
    /// Refuse forwarding from clients into the workspace.
    pub block_local_port_forwarding: bool,
    /// Path of the local socket; `None` to have none.
    pub socket_path: Option<PathBuf>,
    /// Where AI agents find what the workspace tells them.
    pub context: ContextConfig,
    /// Containers beside the agent may be looked at and entered.
    pub devcontainers: bool,
    /// Projects with dev containers are looked for where people work.
    pub discover_devcontainers: bool,
    /// Where metrics are served on this machine, if anywhere.
    pub metrics_listener: Option<Arc<TcpListener>>,
    /// Where people who look for a fault are served on this machine, if anywhere.
    pub debug_listener: Option<Arc<TcpListener>>,
    /// UDP port of the tunnel; zero for any.
    pub tunnel_port: u16,
}

impl Config {
    /// Settings for this control plane with the defaults of everything else.
    pub fn new(client: Client) -> Self {
        let temp = std::env::temp_dir();
        Self {
            session: Arc::new(RwLock::new(client)),
            identity: None,
            version: api_types::VERSION.to_owned(),
            executable: std::env::current_exe().unwrap_or_else(|_| "coder".into()),
            log_dir: temp.clone(),
            script_data_dir: temp,
            ssh_max_timeout: Duration::from_hours(72),
            subsystems: Vec::new(),
            block_file_transfer: false,
            block_reverse_port_forwarding: false,
            block_local_port_forwarding: false,
            socket_path: None,
            context: ContextConfig::default(),
            devcontainers: true,
            discover_devcontainers: true,
            metrics_listener: None,
            debug_listener: None,
            tunnel_port: 0,
        }
    }

    /// The way to the control plane, with the agent's token.
    pub fn client(&self) -> Client {
        self.session.read().clone()
    }

    /// Gets a token where the agent has none of its own.
    pub async fn sign_in(&self) -> Result<(), IdentityError> {
        if let Some(identity) = &self.identity {
            let client = self.client();
            let token = identity.exchange(&client).await?;
            *self.session.write() = client.with_token(token);
        }
        Ok(())
    }

    /// Directory that scripts may use for data.
    pub fn script_data(&self) -> PathBuf {
        self.script_data_dir.join("coder-script-data")
    }

    /// Directory of programs that scripts install; first in every session's `PATH`.
    pub fn script_bin(&self) -> PathBuf {
        self.script_data().join("bin")
    }
}
