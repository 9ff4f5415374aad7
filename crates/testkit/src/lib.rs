//! What tests of several crates share: a database per test, users in it, a scripted model
//! provider ([`model`]), and the check of answers against the published API ([`published`]).
//!
//! [`db`] clones a migrated template on a PostgreSQL server: that at
//! `CODER_TEST_PG_URL` (any database of it, as a superuser), else one started
//! once per test binary in a temporary directory, from
//! `target/vendor/postgres.tar.zst` or an installed PostgreSQL.
//!
//! Without the feature `deployment` only [`model`] and [`published`] are left: for programs that need
//! no database.

#![allow(
    clippy::expect_used,
    reason = "a test whose world cannot be made fails at once, saying why"
)]

pub mod model;
pub mod published;

#[cfg(feature = "deployment")]
mod chats;
#[cfg(feature = "deployment")]
mod database;
#[cfg(feature = "deployment")]
mod server;
#[cfg(feature = "deployment")]
mod users;
#[cfg(feature = "deployment")]
mod workspaces;

#[cfg(feature = "deployment")]
pub use chats::{TestChat, chat};
#[cfg(feature = "deployment")]
pub use database::{TestDb, db};
#[cfg(feature = "deployment")]
pub use server::{binaries as postgres_binaries, server_url};
#[cfg(feature = "deployment")]
pub use users::{TestUser, default_organization, user};
#[cfg(feature = "deployment")]
pub use workspaces::{TestWorkspace, workspace};
