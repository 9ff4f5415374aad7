//! Running OpenTofu or Terraform: finding the program, its configuration and environment, one run
//! and what it prints, and the cache of initialised directories.

mod binary;
mod cli_config;
pub mod env;
mod event;
mod failure;
mod init;
mod mirror;
mod process;
mod report;
mod timings;
mod user_config;
mod vars;

pub use binary::{Binary, BinaryError, BinaryOptions, Flavour, PackedTofu};
pub use cli_config::ToolConfig;
pub use event::{Diagnostic, Event};
pub use failure::RunError;
pub use init::{InitCache, Initialised, Job as InitJob, needs_init, undeclared_provider};
pub use process::{Finished, Limits, Line, Run, run};
pub use report::Report;
pub use timings::{Stage, Timings};
pub use vars::variable_file;
