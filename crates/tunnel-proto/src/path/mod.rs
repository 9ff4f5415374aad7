//! Which way packets to one peer take: directly by UDP, through a relay, or both.
//!
//! A relay always works; a direct path must be proven by a pong, and proven again and again. The
//! first pong of an address makes it usable; while the best address is out of trust, packets go
//! both ways, so that nothing stalls when a network changes. [`Path`] decides what to ask of which
//! address and when; it neither seals nor sends.
//!
//! Numbers that peers of other makers share are those of coder's fork of Tailscale's magicsock.

mod candidates;
mod choice;
mod machine;
mod probe;
mod status;
mod switch;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

pub use candidates::{ENDPOINT_LIFETIME, MAX_CANDIDATES};
pub use machine::Path;
pub use probe::{Answered, Probe};
pub use status::{CandidateStatus, PathStatus};

/// A pong proves its address for so long.
pub const TRUST: Duration = Duration::from_millis(6500);
/// The best address is pinged so often while packets are sent.
pub const HEARTBEAT: Duration = Duration::from_secs(3);
/// A ping without a pong is forgotten after so long.
pub const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Without packets for so long, the path is left alone.
pub const IDLE: Duration = Duration::from_secs(45);
/// A direct path slower than [`GOOD_LATENCY`] is compared with others this often.
pub const LOOK_AGAIN: Duration = Duration::from_mins(1);
/// A direct path at least so fast needs no better one.
pub const GOOD_LATENCY: Duration = Duration::from_millis(5);

/// Where a packet came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// The relay of a region.
    Relay(u16),
    /// A UDP address.
    Direct(SocketAddr),
}

/// Where to send now. At least one is set as soon as the peer's home is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Route {
    /// Send to this UDP address.
    pub direct: Option<SocketAddr>,
    /// Send through this region's relay.
    pub relay: Option<u16>,
}
