//! The client beside servers of the test: good ones, and such as one meets.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod oauth;
mod real;
mod remote;
mod serve;
mod world;
