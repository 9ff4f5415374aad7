//! What a path tells about itself, for people who ask why it is not direct.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Path, Route};

/// An address at which the peer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateStatus {
    /// The address.
    pub address: SocketAddr,
    /// It was pinged.
    pub asked: bool,
    /// Latency of the last answer.
    pub latency: Option<Duration>,
}

/// The way to a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathStatus {
    /// Where packets go now.
    pub route: Route,
    /// Latency of the direct path.
    pub direct_latency: Option<Duration>,
    /// Latency of the last ping through a relay.
    pub relay_latency: Option<Duration>,
    /// This end uses no direct paths.
    pub blocked: bool,
    /// Addresses at which the peer was tried, or will be.
    pub candidates: Vec<CandidateStatus>,
    /// How often all of them were tried without success since something changed.
    pub rounds: usize,
}

impl Path {
    /// What is known now.
    pub fn status(&self, now: Instant) -> PathStatus {
        PathStatus {
            route: self.route(now),
            direct_latency: self.best().map(|(_, latency)| latency),
            relay_latency: self.relay_latency,
            blocked: self.blocked,
            candidates: self
                .candidates
                .iter()
                .map(|known| CandidateStatus {
                    address: known.address,
                    asked: known.pinged.is_some(),
                    latency: known.latency,
                })
                .collect(),
            rounds: self.rounds,
        }
    }
}
