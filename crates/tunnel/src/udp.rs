//! UDP sockets inside the tunnel, and forwarding of datagrams to this machine.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::{Datagram, MAX_UDP_PAYLOAD};
use crate::shared::Shared;

/// Datagrams that wait to be read, per socket.
const QUEUE: usize = 256;
/// Most forwarded flows at a time. Datagrams of more are dropped.
const MAX_FLOWS: usize = 256;
/// A forwarded flow ends after so long without a datagram.
const FLOW_IDLE: Duration = Duration::from_mins(2);

/// A UDP socket inside the tunnel. Dropping it frees the port.
pub struct UdpSocket {
    shared: Arc<Shared>,
    local: SocketAddrV6,
    queue: tokio::sync::Mutex<mpsc::Receiver<Datagram>>,
}

impl std::fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

impl UdpSocket {
    pub(crate) fn bind(shared: Arc<Shared>, port: u16) -> io::Result<Self> {
        let (sender, queue) = mpsc::channel(QUEUE);
        let (ip, port) = shared
            .turn(|engine, _| Some((*engine.addresses.first()?, engine.udp.bind(port, sender)?)))
            .ok_or_else(|| {
                let text = format!("UDP port {port} of the tunnel is taken");
                io::Error::new(io::ErrorKind::AddrInUse, text)
            })?;
        let local = SocketAddrV6::new(ip, port, 0, 0);
        Ok(Self {
            shared,
            local,
            queue: tokio::sync::Mutex::new(queue),
        })
    }

    /// Our end: the first address of this peer and the port.
    pub fn local_addr(&self) -> SocketAddrV6 {
        self.local
    }

    /// Sends a datagram of at most 1,232 bytes. Like any datagram it may be lost.
    pub fn send_to(&self, data: &[u8], to: SocketAddrV6) -> io::Result<()> {
        send(&self.shared, self.local, to, data)
    }

    /// The next datagram and its sender. What does not fit `buffer` is cut off.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddrV6)> {
        let mut queue = self.queue.lock().await;
        let datagram = queue.recv().await;
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "the tunnel is closed");
        let Datagram { remote, data, .. } = datagram.ok_or_else(closed)?;
        let len = data.len().min(buffer.len());
        buffer[..len].copy_from_slice(&data[..len]);
        Ok((len, remote))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.shared
            .turn(|engine, _| engine.udp.unbind(self.local.port()));
    }
}

fn send(
    shared: &Arc<Shared>,
    local: SocketAddrV6,
    to: SocketAddrV6,
    data: &[u8],
) -> io::Result<()> {
    if data.len() > MAX_UDP_PAYLOAD {
        let text = format!("a datagram in the tunnel holds at most {MAX_UDP_PAYLOAD} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if shared.turn(|engine, _| engine.send_udp(local, to, data)) {
        Ok(())
    } else {
        Err(io::ErrorKind::HostUnreachable.into())
    }
}

/// Begins to forward datagrams for ports without a socket to this machine.
pub(crate) fn forward_to_localhost(shared: &Arc<Shared>) {
    let (sender, queue) = mpsc::channel(QUEUE);
    shared.turn(|engine, _| engine.udp.fallback = Some(sender));
    tokio::spawn(forward(shared.clone(), queue));
}

/// Hands each datagram to the task of its flow.
async fn forward(shared: Arc<Shared>, mut queue: mpsc::Receiver<Datagram>) {
    let mut flows: HashMap<(SocketAddrV6, SocketAddrV6), mpsc::Sender<Vec<u8>>> = HashMap::new();
    while let Some(Datagram {
        remote,
        local,
        data,
    }) = queue.recv().await
    {
        let key = (remote, local);
        if flows.get(&key).is_none_or(mpsc::Sender::is_closed) {
            flows.retain(|_, flow| !flow.is_closed());
            if flows.len() >= MAX_FLOWS {
                continue;
            }
            let (sender, receiver) = mpsc::channel(QUEUE);
            flows.insert(key, sender);
            tokio::spawn(run_flow(shared.clone(), remote, local, receiver));
        }
        if let Some(flow) = flows.get(&key) {
            // A slow service loses datagrams.
            let _ = flow.try_send(data);
        }
    }
}

/// Carries one flow both ways until it is idle or the local service refuses it.
async fn run_flow(
    shared: Arc<Shared>,
    remote: SocketAddrV6,
    local: SocketAddrV6,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
) -> Option<()> {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .ok()?;
    socket
        .connect((Ipv4Addr::LOCALHOST, local.port()))
        .await
        .ok()?;
    let mut buffer = vec![0; MAX_UDP_PAYLOAD + 1];
    loop {
        tokio::select! {
            datagram = datagrams.recv() => {
                socket.send(&datagram?).await.ok()?;
            }
            answer = socket.recv(&mut buffer) => {
                let len = answer.ok()?;
                // Too large for the tunnel, or the peer left: lost.
                let _ = send(&shared, local, remote, &buffer[..len]);
            }
            () = shared.cancel.cancelled() => return None,
            () = tokio::time::sleep(FLOW_IDLE) => return None,
        }
    }
}
