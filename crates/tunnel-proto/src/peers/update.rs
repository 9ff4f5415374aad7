//! News of a peer, as the coordinator tells them.

use uuid::Uuid;

use crate::node::Node;

/// One piece of news.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerUpdate {
    /// Which peer.
    pub id: Uuid,
    /// What happened.
    pub kind: PeerUpdateKind,
}

/// What happened to a peer.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerUpdateKind {
    /// It published this description.
    Node(Box<Node>),
    /// It left, or the tunnel to it was removed: forget it.
    Disconnected,
    /// The coordinator lost sight of it: keep it for a while.
    Lost,
    /// It knows us and can answer a handshake.
    ReadyForHandshake,
}
