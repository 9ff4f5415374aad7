//! The one table of options of `coder server`. Flags, environment variables,
//! YAML, help, documentation and the deployment API all derive from it.
//!
//! An option that the published set has and this version does not honour is
//! refused when set: nothing is accepted silently.

mod command;
mod deployment;
mod docs;
mod duration;
mod error;
mod resolve;
mod spec;
mod table;
mod value;
mod yaml;

pub use command::arguments;
pub use deployment::deployment_config;
pub use docs::markdown;
pub use duration::parse_duration;
pub use error::OptionError;
pub use resolve::{Options, Source, Sources};
pub use spec::{Kind, Spec, Support};
pub use table::table;

#[cfg(test)]
mod tests;
