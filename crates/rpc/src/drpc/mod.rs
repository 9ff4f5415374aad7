//! Remote procedure calls: DRPC, as spoken by storj.io/drpc 0.0.34.
//!
//! Each call has a byte stream of its own (a yamux stream, or a connection to a
//! local socket). [`Channel`] makes calls; [`serve`] and [`serve_connection`]
//! answer them. Call metadata (trace contexts) is accepted and ignored.

mod call;
mod channel;
mod frame;
mod serve;
mod status;
mod streams;
#[cfg(test)]
mod tests;
mod wire;

pub use call::{Call, Dispatch, Service};
pub use channel::Channel;
pub use serve::{Router, serve, serve_connection};
pub use status::{Error, Status};
pub use streams::{Receiver, Sender};

/// Largest message in either direction.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;
