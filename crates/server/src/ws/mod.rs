//! WebSockets that carry bytes: RPC connections and relay clients.

mod bytes;

pub(crate) use bytes::{ByteSocket, byte_socket, derp_socket};

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
