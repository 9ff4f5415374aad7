//! WebSockets that carry bytes: RPC connections and relay clients.

mod bytes;
mod relay;

pub(crate) use bytes::{ByteSocket, byte_socket, derp_socket};
pub(crate) use relay::{refuse, relay_bytes};

/// How long the closing handshake may take.
const CLOSE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Time between pings of sockets whose life is watched.
const PING_INTERVAL: std::time::Duration = std::time::Duration::from_secs(15);
/// Close codes.
pub(crate) mod code {
    /// All is said.
    pub(crate) const NORMAL: u16 = 1000;
    /// The other side is gone, or may not stay.
    pub(crate) const GOING_AWAY: u16 = 1001;
    /// A text where bytes are expected.
    pub(crate) const UNSUPPORTED: u16 = 1003;
    /// Something behind us failed.
    pub(crate) const INTERNAL: u16 = 1011;
}

/// Longest reason of a close: a control frame holds 125 bytes.
const MAX_REASON: usize = 120;

/// A close frame.
pub(crate) fn close_frame(code: u16, reason: &str) -> axum::extract::ws::CloseFrame {
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    axum::extract::ws::CloseFrame {
        code,
        reason: reason[..end].into(),
    }
}
