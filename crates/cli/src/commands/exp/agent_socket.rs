//! The agent's local socket, for commands that run in a workspace.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use rpc::AgentSocketClient;
use rpc::drpc::Channel;
use tokio::net::UnixStream;

use crate::failure::Advice;

/// Where agents listen when nothing else is said.
const SOCKET: &str = "/tmp/coder-agent.sock";

/// Which socket.
#[derive(ClapArgs)]
pub struct AgentSocket {
    /// Socket of the agent.
    #[arg(
        long,
        global = true,
        env = "CODER_AGENT_SOCKET_PATH",
        value_name = "file"
    )]
    socket_path: Option<PathBuf>,
}

impl AgentSocket {
    /// Reaches the agent. `otherwise` is the way out where there is none.
    pub async fn connect(self, otherwise: &str) -> Result<AgentSocketClient> {
        let path = self
            .socket_path
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or_else(|| SOCKET.into());
        // Told at once, with the path: calls would say no more than "not found".
        if let Err(error) = UnixStream::connect(&path).await {
            return Err(Advice::error(
                format!("cannot reach the agent by {}: {error}", path.display()),
                format!(
                    "Run this in a workspace whose agent runs; --socket-path names another \
                     socket.{otherwise}"
                ),
            ));
        }
        Ok(AgentSocketClient::new(Channel::connecting(move || {
            UnixStream::connect(path.clone())
        })))
    }
}
