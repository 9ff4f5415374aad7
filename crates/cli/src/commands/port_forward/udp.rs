//! Forwarding of UDP ports: each sender here has a socket of its own inside
//! the tunnel, so that answers find their way back.

use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tunnel::{Conn, address};
use uuid::Uuid;

/// Largest datagram of UDP.
const MAX_DATAGRAM: usize = 64 << 10;
/// Senders at a time; datagrams of more are dropped.
const MAX_FLOWS: usize = 256;
/// Datagrams that wait for one sender's socket.
const QUEUE: usize = 64;
/// A sender that is silent for so long is forgotten.
const IDLE: Duration = Duration::from_mins(2);

/// Listens.
pub async fn bind(address: SocketAddr) -> Result<UdpSocket> {
    UdpSocket::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// Passes datagrams on, both ways.
pub async fn serve(socket: UdpSocket, conn: Conn, agent: Uuid, port: u16) -> Result<()> {
    let socket = Arc::new(socket);
    let [to, _] = address::agent(agent);
    let to = SocketAddrV6::new(to, port, 0, 0);
    let mut flows: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let (length, from) = socket
            .recv_from(&mut buffer)
            .await
            .context("receive a datagram")?;
        flows.retain(|_, queue| !queue.is_closed());
        if !flows.contains_key(&from) {
            if flows.len() >= MAX_FLOWS {
                tracing::debug!("too many senders of datagrams");
                continue;
            }
            let (queue, datagrams) = mpsc::channel(QUEUE);
            tokio::spawn(flow(socket.clone(), conn.clone(), from, to, datagrams));
            flows.insert(from, queue);
        }
        if let Some(queue) = flows.get(&from) {
            // Like any datagram, one that finds no room is lost.
            let _ = queue.try_send(buffer[..length].to_vec());
        }
    }
}

/// Serves one sender until it is silent.
async fn flow(
    here: Arc<UdpSocket>,
    conn: Conn,
    from: SocketAddr,
    to: SocketAddrV6,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
) {
    let there = match conn.bind_udp(0) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, "no socket inside the tunnel");
            return;
        }
    };
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        tokio::select! {
            sent = datagrams.recv() => {
                let Some(datagram) = sent else { return };
                if let Err(error) = there.send_to(&datagram, to) {
                    tracing::debug!(%error, "datagram was not sent");
                }
            }
            received = there.recv_from(&mut buffer) => {
                let Ok((length, _)) = received else { return };
                // The sender may be gone; that ends by silence.
                let _ = here.send_to(&buffer[..length], from).await;
            }
            () = tokio::time::sleep(IDLE) => return,
        }
    }
}
