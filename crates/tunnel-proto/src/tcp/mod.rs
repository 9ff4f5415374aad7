//! TCP over IPv6 inside the tunnel, as a state machine: segments and the time in, segments and the
//! next deadline out.
//!
//! Written for a path that loses, delays and reorders: selective acknowledgement both ways
//! (RFC 2018, 2883), loss detection by time (RACK-TLP, RFC 8985), retransmission timer (RFC 6298)
//! with detection of needless ones (RFC 5682), CUBIC (RFC 9438) with an early end of slow start
//! (HyStart++, RFC 9406), pacing, window scaling (RFC 7323) and robustness against blind attacks
//! (RFC 5961). There are no timestamps: the tunnel drops packets that are old, and a segment's
//! round trip is known from its own record.
//!
//! What is sent leaves in segments of up to [`MAX_BURST`] full packets, which
//! [`Connection::cut`] writes as packets of the path's size: the state machine runs once per
//! bundle, not once per packet.

mod board;
mod congestion;
mod connection;
mod pacing;
mod receiver;
mod ring;
mod rtt;
mod segment;
mod sender;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod transmit;

pub use connection::{Connection, End, Limits};
pub use segment::{Options, Segment, flag, put_reset};
pub use transmit::{Addresses, Transmit};

/// Bytes of the header without options.
pub const HEADER_LEN: usize = 20;
/// Payload of a full packet: what the tunnel's packets hold besides IPv6 and TCP headers.
pub const MSS: usize = crate::packet::MTU - crate::packet::IPV6_HEADER_LEN - HEADER_LEN;
/// Most full packets of one outgoing segment: with the tunnel's and UDP's headers they stay below
/// the 64 KiB that a kernel sends in one call.
pub const MAX_BURST: usize = 48;
