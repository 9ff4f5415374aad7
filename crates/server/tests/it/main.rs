//! The server over real sockets and a real database: agents, coordination, relay, programs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod agent_conn;
mod agents;
mod apps;
mod binaries;
mod browser;
mod chat_context;
mod chat_debug;
mod chat_faults;
mod chat_place;
mod chat_queue;
mod chat_replicas;
mod chat_workspace;
mod chats;
mod foreign_agents;
mod forms;
mod garbage;
mod health;
mod inbox;
mod mcp;
mod mcp_http;
mod mcp_inline;
mod peers;
#[path = "../common/published.rs"]
mod published;
mod tunnel;
mod world;
