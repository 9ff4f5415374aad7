//! Reading Terraform configuration without running Terraform.
//!
//! Files become [`Module`]s, modules a [`Configuration`]; [`refs`] lists what an expression refers
//! to and [`graph`] joins that to the dependency graph of a whole configuration. Nothing here
//! evaluates anything; that is the business of `eval`.

mod configuration;
pub mod constant;
mod error;
pub mod graph;
mod json;
mod merge;
mod module;
pub mod refs;
mod source;
pub mod variables;

pub use configuration::{
    Configuration, INSTALLED_MODULES, InstalledModule, installed as installed_modules,
    join as joined,
};
pub use error::HclError;
pub use module::{Module, ModuleCall, RequiredProvider, Resource};
pub use source::{Files, SourceFile};
