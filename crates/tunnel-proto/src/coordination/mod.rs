//! Coordination: who may know whose node, and what each peer is to be told next.
//!
//! A peer publishes its node; a source asks for a tunnel to a destination; both ends of a tunnel
//! learn each other's node and its changes. [`Coordinator`] is this bookkeeping alone: requests go
//! in, updates wait in a bounded queue per connection until [`Coordinator::take`] fetches them. The
//! node itself is opaque (`N`). Protocol: `coder.tailnet.v2`, `Coordinate`.

mod pending;
pub mod policy;
mod state;
#[cfg(test)]
mod tests;

pub use pending::{Change, Update};
pub use state::{ConnectionId, Coordinator, Output, Request, Role, Verdict};

/// Updates that fit into one message to a peer.
pub const MAX_UPDATES_PER_MESSAGE: usize = 1024;
