//! Forwarding of TCP ports.

use std::net::{SocketAddr, SocketAddrV6};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tunnel::{Conn, address};
use uuid::Uuid;

/// Listens.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// Joins every connection with one inside the tunnel.
pub async fn serve(listener: TcpListener, conn: Conn, agent: Uuid, port: u16) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        let conn = conn.clone();
        tokio::spawn(async move {
            if let Err(error) = join(stream, &conn, agent, port).await {
                tracing::debug!("forwarded connection: {error:#}");
            }
        });
    }
}

async fn join(mut here: TcpStream, conn: &Conn, agent: Uuid, port: u16) -> Result<()> {
    let [to, _] = address::agent(agent);
    let mut there = conn
        .dial_tcp(SocketAddrV6::new(to, port, 0, 0))
        .await
        .context("connect in the workspace")?;
    tokio::io::copy_bidirectional(&mut here, &mut there)
        .await
        .context("copy")?;
    Ok(())
}
