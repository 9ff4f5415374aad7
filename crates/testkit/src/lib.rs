//! What tests of several crates share: a database per test, users in it, and a scripted model
//! provider ([`model`]).
//!
//! [`db`] clones a migrated template on a PostgreSQL server: that at
//! `CODER_TEST_PG_URL` (any database of it, as a superuser), else one started
//! once per test binary in a temporary directory, from
//! `target/vendor/postgres.tar.zst` or an installed PostgreSQL.

#![allow(
    clippy::expect_used,
    reason = "a test whose world cannot be made fails at once, saying why"
)]

mod chats;
mod database;
pub mod model;
mod server;
mod users;
mod workspaces;

pub use chats::{TestChat, chat};
pub use database::{TestDb, db};
pub use server::{binaries as postgres_binaries, server_url};
pub use users::{TestUser, default_organization, user};
pub use workspaces::{TestWorkspace, workspace};
