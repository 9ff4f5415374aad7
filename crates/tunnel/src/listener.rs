//! Accepts TCP connections inside the tunnel.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::TcpStream;
use crate::shared::Shared;

/// Established connections that wait to be accepted, per port.
pub(crate) const BACKLOG: usize = 128;

/// A port that accepts connections. Dropping it frees the port; accepted streams stay.
pub struct Listener {
    shared: Arc<Shared>,
    port: u16,
    queue: mpsc::Receiver<TcpStream>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Listener {
    pub(crate) fn new(shared: Arc<Shared>, port: u16, queue: mpsc::Receiver<TcpStream>) -> Self {
        Self {
            shared,
            port,
            queue,
        }
    }

    /// The next connection. Safe to drop and call again. An error means that the tunnel is closed.
    pub async fn accept(&mut self) -> io::Result<TcpStream> {
        tokio::select! {
            stream = self.queue.recv() => stream,
            () = self.shared.cancel.cancelled() => None,
        }
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the tunnel is closed"))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared
            .turn(|engine, _| engine.ports.listeners.remove(&self.port));
    }
}
