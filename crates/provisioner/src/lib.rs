//! Template in, resources out.
//!
//! Takes provisioner jobs from a [`JobSource`], runs OpenTofu or Terraform on the template with
//! the `coder` provider, and turns plan and state into resources, agents, apps and parameters.
//! Knows neither the database nor HTTP.

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
