//! Chats with AI agents: operations in, events out.

pub mod state;
