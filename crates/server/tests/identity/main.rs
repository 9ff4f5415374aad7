//! Identities over the whole router and a real database: who may call what,
//! and what callers with bad manners get.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod access;
mod ai;
mod app;
mod bad_requests;
mod calls;
mod every_route;
mod keys;
mod limits;
mod mcp;
mod mcp_http;
mod pages;
mod personal;
#[path = "../common/published.rs"]
mod published;
mod sign_in;
mod skills;
mod users;
