//! Appends frames to a byte buffer.

use super::{GoneReason, HEADER_LEN, MAGIC, NONCE_LEN, kind};
use crate::key::{KEY_LEN, NodePublic};

/// A buffer of whole frames ready to be written.
pub type FrameBuffer = Vec<u8>;

/// Begins a frame; [`finish`] fills in its length. Lets a packet be sealed straight into place.
fn begin(out: &mut FrameBuffer, kind: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[kind, 0, 0, 0, 0]);
    start
}

/// Ends the frame that [`begin`] began at `start`.
fn finish(out: &mut FrameBuffer, start: usize) {
    let len = (out.len() - start - HEADER_LEN) as u32;
    out[start + 1..start + HEADER_LEN].copy_from_slice(&len.to_be_bytes());
}

/// Begins a packet from a client for `destination`: append the packet, then call
/// [`finish_packet`] with the result, or truncate the buffer to it to give up.
pub fn begin_send_packet(out: &mut FrameBuffer, destination: &NodePublic) -> usize {
    let start = begin(out, kind::SEND_PACKET);
    out.extend_from_slice(&destination.0);
    start
}

/// Ends the frame that [`begin_send_packet`] began at `start`.
pub fn finish_packet(out: &mut FrameBuffer, start: usize) {
    finish(out, start);
}

fn frame(out: &mut FrameBuffer, kind: u8, parts: &[&[u8]]) {
    let start = begin(out, kind);
    for part in parts {
        out.extend_from_slice(part);
    }
    finish(out, start);
}

/// The server's greeting.
pub fn server_key(out: &mut FrameBuffer, key: &NodePublic) {
    frame(out, kind::SERVER_KEY, &[&MAGIC, &key.0]);
}

/// The client's answer; `sealed` comes from [`super::seal_client_info`].
pub fn client_info(
    out: &mut FrameBuffer,
    key: &NodePublic,
    nonce: &[u8; NONCE_LEN],
    sealed: &[u8],
) {
    frame(out, kind::CLIENT_INFO, &[&key.0, nonce, sealed]);
}

/// The server's confirmation; `sealed` comes from [`super::seal_server_info`].
pub fn server_info(out: &mut FrameBuffer, nonce: &[u8; NONCE_LEN], sealed: &[u8]) {
    frame(out, kind::SERVER_INFO, &[nonce, sealed]);
}

/// A packet from a client for `destination`.
pub fn send_packet(out: &mut FrameBuffer, destination: &NodePublic, packet: &[u8]) {
    frame(out, kind::SEND_PACKET, &[&destination.0, packet]);
}

/// A packet to a client from `source`.
pub fn recv_packet(out: &mut FrameBuffer, source: &NodePublic, packet: &[u8]) {
    frame(out, kind::RECV_PACKET, &[&source.0, packet]);
}

/// What comes before a packet of `len` bytes to a client from `source`: its frame's head.
pub fn recv_packet_head(source: &NodePublic, len: usize) -> [u8; HEADER_LEN + KEY_LEN] {
    let mut head = [0; HEADER_LEN + KEY_LEN];
    head[0] = kind::RECV_PACKET;
    head[1..HEADER_LEN].copy_from_slice(&((KEY_LEN + len) as u32).to_be_bytes());
    head[HEADER_LEN..].copy_from_slice(&source.0);
    head
}

/// A packet between servers of one region.
pub fn forward_packet(
    out: &mut FrameBuffer,
    source: &NodePublic,
    destination: &NodePublic,
    packet: &[u8],
) {
    frame(
        out,
        kind::FORWARD_PACKET,
        &[&source.0, &destination.0, packet],
    );
}

/// Keeps the connection from looking dead.
pub fn keep_alive(out: &mut FrameBuffer) {
    frame(out, kind::KEEP_ALIVE, &[]);
}

/// Tells the server whether this is the client's home connection.
pub fn note_preferred(out: &mut FrameBuffer, home: bool) {
    frame(out, kind::NOTE_PREFERRED, &[&[u8::from(home)]]);
}

/// Tells that `peer` is not reachable here.
pub fn peer_gone(out: &mut FrameBuffer, peer: &NodePublic, reason: GoneReason) {
    frame(out, kind::PEER_GONE, &[&peer.0, &[reason.to_byte()]]);
}

/// Tells a watcher that `peer` connected.
pub fn peer_present(out: &mut FrameBuffer, peer: &NodePublic) {
    frame(out, kind::PEER_PRESENT, &[&peer.0]);
}

/// Asks for peer events.
pub fn watch_conns(out: &mut FrameBuffer) {
    frame(out, kind::WATCH_CONNS, &[]);
}

/// Asks to close `peer`'s connection.
pub fn close_peer(out: &mut FrameBuffer, peer: &NodePublic) {
    frame(out, kind::CLOSE_PEER, &[&peer.0]);
}

/// Asks for a pong with the same bytes.
pub fn ping(out: &mut FrameBuffer, data: [u8; 8]) {
    frame(out, kind::PING, &[&data]);
}

/// Answers a ping.
pub fn pong(out: &mut FrameBuffer, data: [u8; 8]) {
    frame(out, kind::PONG, &[&data]);
}
