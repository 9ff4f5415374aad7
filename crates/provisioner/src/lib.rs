//! Template in, resources out.
//!
//! Takes provisioner jobs from a [`JobSource`], runs OpenTofu or Terraform on the template with
//! the `coder` provider, and turns plan and state into resources, agents, apps and parameters.
//! Knows neither the database nor HTTP.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "texts are short, and `write!` to a string only adds an error that cannot happen"
)]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "Terraform tells files by names in lower case"
)]

pub mod archive;
pub mod convert;
pub mod daemon;
pub mod eval;
pub mod hcl;
pub mod job;
pub mod log;
pub mod parameters;
pub mod session;
pub mod starters;
pub mod tofu;

pub use daemon::{Config, Daemon, ToolOptions, Tools};
pub use job::{FileKind, JobSource, SourceError};
