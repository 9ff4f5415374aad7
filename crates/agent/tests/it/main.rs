//! Tests of the agent from outside, with real programs as its clients.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod control_plane;
mod many;
mod openssh;
mod sftp;
mod support;
mod tools;
