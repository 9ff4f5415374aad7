//! What runs in a workspace: the agent. It keeps a connection to the control
//! plane, runs the workspace's scripts, reports what it sees, and serves people
//! through the tunnel: SSH, terminals, files and forwarded ports.

pub mod account;
pub mod banners;
pub mod config;
mod environment;
pub mod expand;
mod jetbrains;
mod listening;
pub mod manifest;
mod process;
mod pty;
pub mod sessions;
pub mod ssh;
pub mod workspace;

pub use config::Config;
