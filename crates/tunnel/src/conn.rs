//! The tunnel as its users see it: dial, listen, ping, and feed with what the coordinator says.

use std::io;
use std::net::SocketAddrV6;
use std::time::Duration;

use tokio::sync::watch;
use tunnel_proto::derp_map::DerpMap;
use tunnel_proto::node::Node;
use tunnel_proto::peers::PeerUpdate;
use uuid::Uuid;

use crate::{Config, FallbackTcp, Listener, PeerStatus, PingError, Pong, TcpStream, Traffic};

/// One end of the tunnel. Cheap to clone; the tunnel ends when the last clone and the last stream
/// are gone, or by [`Conn::close`].
#[derive(Clone)]
pub struct Conn {}

impl Conn {
    /// Starts a tunnel end. Must be called inside a Tokio runtime. Connects to the home relay at
    /// once if the map of the settings has regions.
    pub fn new(config: Config) -> Self {
        let _ = config;
        todo!()
    }

    /// This peer's identifier.
    pub fn id(&self) -> Uuid {
        todo!()
    }

    /// What to publish at the coordinator: `None` until a home relay is chosen, and a new value
    /// whenever something changes.
    pub fn self_node(&self) -> watch::Receiver<Option<Node>> {
        todo!()
    }

    /// Takes news of peers from the coordinator. Peers that were named by
    /// [`Conn::add_destination`] are used once they are ready for a handshake, others at once.
    pub fn apply_peer_updates(&self, updates: Vec<PeerUpdate>) {
        let _ = updates;
        todo!()
    }

    /// Marks `peer` as one that this end dials: its tunnel waits for "ready for handshake" (at
    /// most 5 s) and is kept alive.
    pub fn add_destination(&self, peer: Uuid) {
        let _ = peer;
        todo!()
    }

    /// Undoes [`Conn::add_destination`] and forgets the peer.
    pub fn remove_destination(&self, peer: Uuid) {
        let _ = peer;
        todo!()
    }

    /// The coordinator is out of reach: keeps each peer until 15 min after its last handshake.
    pub fn mark_all_lost(&self) {
        todo!()
    }

    /// Takes a new map of relay regions. Embedded regions are rewritten to the base URL.
    pub fn set_derp_map(&self, map: DerpMap) {
        let _ = map;
        todo!()
    }

    /// Reaches relays only by WebSocket from the next connection on.
    pub fn set_derp_force_websockets(&self, force: bool) {
        let _ = force;
        todo!()
    }

    /// Opens a TCP connection inside the tunnel. Waits while the peer is not known or not ready
    /// yet; bound it with a timeout of your own.
    pub async fn dial_tcp(&self, to: SocketAddrV6) -> io::Result<TcpStream> {
        let _ = to;
        todo!()
    }

    /// Accepts TCP connections to `port` inside the tunnel, on every address of this peer.
    /// `AddrInUse` if the port has a listener.
    pub fn listen_tcp(&self, port: u16) -> io::Result<Listener> {
        let _ = port;
        todo!()
    }

    /// Sets what serves TCP connections to ports without a listener. Without it they are reset.
    pub fn set_fallback_tcp(&self, fallback: impl FallbackTcp) {
        let _ = fallback;
        todo!()
    }

    /// Measures the path to `peer` by a disco ping. Gives up after 5 s.
    pub async fn ping(&self, peer: Uuid) -> Result<Pong, PingError> {
        let _ = peer;
        todo!()
    }

    /// Waits until a packet has gone through the tunnel to `peer` and back.
    pub async fn await_reachable(&self, peer: Uuid, timeout: Duration) -> Result<(), PingError> {
        let _ = (peer, timeout);
        todo!()
    }

    /// What is known of each peer.
    pub fn peers(&self) -> Vec<PeerStatus> {
        todo!()
    }

    /// Counters since the start.
    pub fn traffic(&self) -> Traffic {
        todo!()
    }

    /// Ends the tunnel: sends what the streams still hold (at most 2 s), then stops everything.
    pub async fn close(&self) {
        todo!()
    }
}
