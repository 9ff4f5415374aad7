//! What the agent is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use client::Client;
use rpc::proto::agent::startup::Subsystem;

use crate::context::Config as ContextConfig;

/// Settings of one agent process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The way to the control plane, with the agent's token.
    pub client: Client,
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
    /// Ports of this process, which are not the workspace's.
    pub own_ports: Vec<u16>,
}

impl Config {
    /// Settings for this control plane with the defaults of everything else.
    pub fn new(client: Client) -> Self {
        let temp = std::env::temp_dir();
        Self {
            client,
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
            own_ports: Vec::new(),
        }
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
