//! The peers of one tunnel end and how they come and go.
//!
//! A peer that this end dials (a destination) is used when it said that it is ready for a
//! handshake, or after [`READY_TIMEOUT`]; any other peer at once. A lost peer stays until
//! [`LOST_TIMEOUT`] after its last handshake; a disconnected one goes at once.

mod discovery;
mod index;
mod peer;
mod table;
mod update;

pub use discovery::{Destination, ENDPOINTS_FRESH, ENDPOINTS_RETRY, Transmit};
pub use index::PeerIndex;
pub use peer::{FIRST_RETRY, LOST_TIMEOUT, Peer, Phase, READY_TIMEOUT};
pub use table::{Identity, MAX_PEERS, Peers};
pub use update::{PeerUpdate, PeerUpdateKind};
