//! What the network around this machine is like: where it is seen from outside, by which kind of
//! translation, and how far the regions are.
//!
//! [`Lookup`] asks STUN servers through the same socket that carries the packets, because a
//! translation on the way is a property of that socket. [`Report`] says what came out.

mod lookup;
pub mod portmap;
mod report;
#[cfg(test)]
mod tests;
pub mod upnp;

pub use lookup::{Answer, Lookup, StunServer};
pub use report::Report;
