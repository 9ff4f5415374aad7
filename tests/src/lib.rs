//! What every end-to-end test stands on: binaries, servers, command runs.
//!
//! Nothing here knows what is tested; it only starts real programs, gives them
//! a bounded time, and takes them down again.

pub mod binaries;
pub mod chats;
pub mod command;
pub mod http;
pub mod peers;
pub mod processes;
pub mod server;
pub mod tofu;
pub mod workspace_template;
