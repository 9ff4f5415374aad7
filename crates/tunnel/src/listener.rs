//! Accepts TCP connections inside the tunnel.

use std::io;

use crate::TcpStream;

/// A port that accepts connections. Dropping it frees the port; accepted streams stay.
pub struct Listener {}

impl Listener {
    /// The next connection. Safe to drop and call again. An error means that the tunnel is closed.
    pub async fn accept(&mut self) -> io::Result<TcpStream> {
        todo!()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        todo!()
    }
}
