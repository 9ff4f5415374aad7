//! The daemon: takes jobs one at a time and sees each to its end.
//!
//! [`Daemon::run`] is one worker; a server runs several over the same [`Tools`]. What a job of each
//! kind does stands in `import`, `build` and `dry_run`; [`reporter`] speaks to the job source while
//! one runs.

mod build;
mod config;
mod context;
mod dry_run;
mod failure;
mod import;
mod modules;
mod prepare;
mod recover;
mod reporter;
mod tools;
mod worker;

pub use config::Config;
pub use tools::{ToolOptions, Tools};
pub use worker::Daemon;
