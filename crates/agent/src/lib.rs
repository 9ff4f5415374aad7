//! What runs in a workspace: the agent. It keeps a connection to the control
//! plane, runs the workspace's scripts, reports what it sees, and serves people
//! through the tunnel: SSH, terminals, files and forwarded ports.

pub mod account;
mod agent;
mod api;
mod apps;
mod banners;
mod config;
mod connection;
mod containers;
mod context;
mod debug_logs;
mod desktop;
mod dial;
mod environment;
mod expand;
mod files;
pub mod identity;
mod jetbrains;
mod lifecycle;
mod limits;
mod listening;
mod logs;
pub mod manifest;
mod mcp;
mod metadata;
mod metrics;
pub mod netcheck;
mod network;
mod outbox;
mod process;
mod processes;
mod pty;
pub mod reap;
mod reconnecting;
mod repositories;
mod resources;
mod scripts;
mod secrets;
pub mod sessions;
pub mod socket;
mod speedtest;
pub mod ssh;
mod stats;
#[cfg(test)]
mod testing;
mod vscode;
pub mod workspace;

pub use agent::run;
pub use config::Config;
pub use context::Config as ContextConfig;
pub use limits::raise as raise_limits;
pub use rpc::proto::agent::startup::Subsystem;
