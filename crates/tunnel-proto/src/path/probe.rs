//! What a path asks, and what it learns by the answers.

use std::time::{Duration, Instant};

use super::Via;
use crate::disco::TransactionId;

/// What the path wants to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A ping.
    Ping {
        /// To where.
        via: Via,
        /// To be repeated in the pong.
        transaction: TransactionId,
    },
    /// Our addresses, by the relay: the peer should ping them.
    CallMeMaybe,
}

/// A pong that answered one of our pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The way that was asked.
    pub via: Via,
    /// When.
    pub sent: Instant,
    /// Time there and back.
    pub latency: Duration,
}
