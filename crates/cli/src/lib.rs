//! The command line: what a person types, sees and scripts.
//!
//! Both binaries are this library; the feature `full` adds the control plane
//! and the Terraform provider. Commands live in [`commands`], one file each;
//! what they share is beside them. Nothing here decides rules of the product:
//! commands ask the API and show the answer.

#![allow(
    clippy::single_match_else,
    reason = "two cases of a match stand side by side as equals"
)]

mod commands;
mod config_dir;
mod connect;
mod csv;
mod dispatch;
mod failure;
mod follow;
mod globals;
mod home;
mod later;
mod organization_flag;
mod parameters;
mod schedule;
mod scheduling;
mod session;
mod stackdriver;
mod text_file;
mod ui;
mod working_set;

pub use dispatch::main;
