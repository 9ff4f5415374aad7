//! The rules on a real database, with jobs done by hand in place of a provisioner.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod activity;
mod advisor;
mod at_once;
mod builds;
mod chat_retention;
mod chat_workspaces;
mod forms;
mod jobs;
mod lifecycle;
mod organizations;
mod rights;
mod support;
mod templates;
mod workspaces;
