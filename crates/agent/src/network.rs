//! The agent's end of the tunnel, and what listens in it. Made with the first
//! manifest; it outlives connections to the control plane.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tunnel::coordinate::derp_map_from_proto;
use tunnel::{Conn, Localhost, TcpStream};

use crate::api::Api;
use crate::manifest::Manifest;
use crate::reconnecting::Terminals;
use crate::workspace::Workspace;
use crate::{speedtest, ssh};

/// Ports of the agent's services inside the tunnel.
mod ports {
    pub const SSH: u16 = 1;
    pub const SSH_STANDARD: u16 = 22;
    pub const TERMINALS: u16 = 2;
    pub const SPEEDTEST: u16 = 3;
    pub const API: u16 = 4;
}

/// The tunnel and its services; all end when it is dropped.
pub struct Network {
    /// The tunnel.
    pub conn: Conn,
    /// Leaves the coordinator when cancelled.
    pub leave: CancellationToken,
    _services: Vec<AbortOnDropHandle<()>>,
}

impl Network {
    /// Opens the tunnel and everything that listens in it.
    pub fn open(
        workspace: &Arc<Workspace>,
        manifest: &Manifest,
        api: Api,
    ) -> std::io::Result<Self> {
        let client = workspace.config.client();
        let mut config = tunnel::Config::agent(manifest.agent_id, client.url().clone());
        config.headers = client.extra_headers().clone();
        config.tls = Some(client.tls_config().clone());
        config.derp_map = derp_map_from_proto(manifest.derp_map.clone());
        config.derp_force_websockets = manifest.derp_force_websockets;
        config.block_endpoints = manifest.disable_direct_connections;
        config.udp_port = workspace.config.tunnel_port;
        let conn = Conn::new(config);
        conn.set_fallback_tcp(Localhost);
        conn.forward_udp_to_localhost();
        api.set_tunnel(conn.clone());

        let ssh = ssh::Server::new(workspace.clone());
        let other_ssh = ssh.clone();
        let terminals = Terminals::new(workspace.clone());
        let services = vec![
            serve(&conn, ports::SSH, move |stream, ip| {
                let ssh = ssh.clone();
                async move { ssh.serve(stream, ip).await }
            })?,
            serve(&conn, ports::SSH_STANDARD, move |stream, ip| {
                let ssh = other_ssh.clone();
                async move { ssh.serve(stream, ip).await }
            })?,
            serve(&conn, ports::TERMINALS, move |stream, ip| {
                let terminals = terminals.clone();
                async move { terminals.serve(stream, ip).await }
            })?,
            serve(&conn, ports::SPEEDTEST, |stream, _| {
                speedtest::serve(stream)
            })?,
            serve(&conn, ports::API, move |stream, _| {
                let api = api.clone();
                async move { api.serve(stream).await }
            })?,
        ];
        Ok(Self {
            conn,
            leave: CancellationToken::new(),
            _services: services,
        })
    }

    /// Takes what may have changed with a new manifest.
    pub fn update(&self, manifest: &Manifest) {
        self.conn
            .set_derp_force_websockets(manifest.derp_force_websockets);
        self.conn
            .set_block_endpoints(manifest.disable_direct_connections);
        self.conn
            .set_derp_map(derp_map_from_proto(manifest.derp_map.clone()));
    }
}

/// Serves each connection to `port` in a task of its own.
fn serve<F>(
    conn: &Conn,
    port: u16,
    service: impl Fn(TcpStream, String) -> F + Send + 'static,
) -> std::io::Result<AbortOnDropHandle<()>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut listener = conn.listen_tcp(port)?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        // An error means that the tunnel is closed.
        while let Ok(stream) = listener.accept().await {
            let ip = stream.peer_addr().ip().to_string();
            tokio::spawn(service(stream, ip));
        }
    })))
}
