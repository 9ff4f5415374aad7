//! The relay protocol (DERP, version 2): frames and the sealed greeting.
//!
//! A frame is a type byte, a big-endian `u32` length and a payload. The server greets with
//! [`Frame::ServerKey`], the client answers with [`Frame::ClientInfo`], the server confirms with
//! [`Frame::ServerInfo`]; from then on both sides send frames freely and skip unknown types.
//! No sockets here: the decoder works on whatever bytes have arrived.

mod decode;
mod encode;
mod greeting;

pub use decode::{Decoder, Frame, FrameError, Step};
pub use encode::{
    FrameBuffer, begin_send_packet, client_info, close_peer, finish_packet, forward_packet,
    keep_alive, note_preferred, peer_gone, peer_present, ping, pong, recv_packet, recv_packet_head,
    send_packet, server_info, server_key, watch_conns,
};
pub use greeting::{
    ClientInfo, GreetingError, ServerInfo, open_client_info, open_server_info, seal_client_info,
    seal_server_info,
};

/// Version of the protocol, told in the greeting and in the `Derp-Version` header.
pub const VERSION: u32 = 2;
/// Bytes of a frame before its payload.
pub const HEADER_LEN: usize = 5;
/// Largest packet that a relay carries.
pub const MAX_PACKET_LEN: usize = 64 << 10;
/// Largest frame accepted of any kind; also the bound of a skipped unknown frame.
pub const MAX_FRAME_LEN: usize = 1 << 20;
/// Largest [`Frame::ClientInfo`], whose JSON may grow with versions.
pub const MAX_INFO_LEN: usize = 256 << 10;
/// First bytes of the [`Frame::ServerKey`] payload.
pub const MAGIC: [u8; 8] = *b"DERP\xf0\x9f\x94\x91";
/// Bytes of a nonce in a sealed greeting.
pub const NONCE_LEN: usize = 24;

/// Type byte of each known frame.
pub mod kind {
    /// The server's public key.
    pub const SERVER_KEY: u8 = 0x01;
    /// The client's key and sealed description.
    pub const CLIENT_INFO: u8 = 0x02;
    /// The server's sealed description.
    pub const SERVER_INFO: u8 = 0x03;
    /// Client to server: a packet for a peer.
    pub const SEND_PACKET: u8 = 0x04;
    /// Server to client: a packet from a peer.
    pub const RECV_PACKET: u8 = 0x05;
    /// Nothing, so that the connection is not idle.
    pub const KEEP_ALIVE: u8 = 0x06;
    /// Whether this is the client's home connection.
    pub const NOTE_PREFERRED: u8 = 0x07;
    /// A peer is not (or no longer) reachable here.
    pub const PEER_GONE: u8 = 0x08;
    /// A peer connected (to watchers).
    pub const PEER_PRESENT: u8 = 0x09;
    /// Server to server: a packet with its source and destination.
    pub const FORWARD_PACKET: u8 = 0x0a;
    /// Server to server: asks for peer events.
    pub const WATCH_CONNS: u8 = 0x10;
    /// Server to server: asks to close a peer's connection.
    pub const CLOSE_PEER: u8 = 0x11;
    /// Asks for a pong.
    pub const PING: u8 = 0x12;
    /// Answers a ping.
    pub const PONG: u8 = 0x13;
    /// Text of a problem; empty when all is well again.
    pub const HEALTH: u8 = 0x14;
    /// The server will restart.
    pub const RESTARTING: u8 = 0x15;
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneReason {
    /// It was connected and left.
    Disconnected,
    /// It is not connected to this relay.
    NotHere,
    /// A reason of a later version.
    Other(u8),
}

impl GoneReason {
    /// The byte on the wire.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Disconnected => 0,
            Self::NotHere => 1,
            Self::Other(byte) => byte,
        }
    }

    /// Reads the byte on the wire.
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Disconnected,
            1 => Self::NotHere,
            other => Self::Other(other),
        }
    }
}
