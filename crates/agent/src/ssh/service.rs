//! What the agent does for one SSH client: sorts its wishes to the modules that
//! fulfil them.

use std::sync::Arc;

use super::connection::{OpenRequest, Peer, Service};
use super::forward::{self, Forwards};
use super::numbers::OpenFailure;
use super::session;
use super::wire::Reader;
use crate::workspace::Workspace;

/// The service of one connection.
pub struct ClientService {
    workspace: Arc<Workspace>,
    ip: String,
    forwards: Forwards,
}

impl ClientService {
    /// The service for a client at `ip`.
    pub fn new(workspace: Arc<Workspace>, ip: String) -> Self {
        Self {
            workspace,
            ip,
            forwards: Forwards::default(),
        }
    }
}

impl Service for ClientService {
    fn open(&mut self, request: OpenRequest, peer: &Peer) {
        let blocked = self.workspace.config.block_local_port_forwarding;
        match request.kind.as_str() {
            "session" => {
                let (workspace, ip, peer) = (self.workspace.clone(), self.ip.clone(), peer.clone());
                tokio::spawn(session::run(request, workspace, ip, peer));
            }
            "direct-tcpip" | "direct-streamlocal@openssh.com" if blocked => {
                let text = "local port forwarding is disabled in this workspace";
                tokio::spawn(request.refuse(OpenFailure::Prohibited, text));
            }
            "direct-tcpip" => {
                tokio::spawn(forward::direct_tcp(
                    request,
                    self.workspace.clone(),
                    self.ip.clone(),
                ));
            }
            "direct-streamlocal@openssh.com" => {
                tokio::spawn(forward::direct_unix(request));
            }
            _ => {
                let text = "this server knows no such channel type";
                tokio::spawn(request.refuse(OpenFailure::UnknownType, text));
            }
        }
    }

    fn global(&mut self, kind: &str, data: &[u8], peer: &Peer) -> Option<Vec<u8>> {
        let blocked = self.workspace.config.block_reverse_port_forwarding;
        let data = Reader::new(data);
        match kind {
            "keepalive@openssh.com" => Some(Vec::new()),
            "tcpip-forward" if !blocked => self.forwards.listen_tcp(data, peer),
            "cancel-tcpip-forward" => self.forwards.cancel_tcp(data),
            "streamlocal-forward@openssh.com" if !blocked => self.forwards.listen_unix(data, peer),
            "cancel-streamlocal-forward@openssh.com" => self.forwards.cancel_unix(data),
            _ => None,
        }
    }
}
