//! The peers of one tunnel end and how they come and go.

mod update;
pub use update::{PeerUpdate, PeerUpdateKind};
