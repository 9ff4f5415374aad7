//! Tests of the agent from outside, with real programs as its clients.

mod openssh;
mod sftp;
mod support;
