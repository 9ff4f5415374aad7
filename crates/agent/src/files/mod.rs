//! Files of the workspace for callers of the agent's API: listing, reading,
//! writing and editing. Every call blocks and is run on a thread for that.

pub mod bundle;
mod diff;
pub mod edit;
mod failure;
pub mod lines;
pub mod list;
mod media;
pub mod read;
mod resolve;
pub mod write;

pub use failure::{FileError, Kind};
pub use resolve::{clean, resolve};
