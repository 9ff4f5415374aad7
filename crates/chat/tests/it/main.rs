//! Chats on a real database with a scripted model.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]
#![allow(
    clippy::unused_async,
    reason = "a worker of the tests starts as a real one does"
)]

mod advisor;
mod agent;
mod compaction;
mod computer;
mod crash;
mod helpers;
mod mcp;
mod no_house;
mod queue;
mod together;
mod tools;
mod turns;
mod viewers;
mod workspace;
mod world;
