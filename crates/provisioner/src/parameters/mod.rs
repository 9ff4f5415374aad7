//! Which values a build's parameters get. Pure: values and rules in, values or complaints out.
//!
//! [`classic`] goes by the parameters stored at import, [`dynamic`] renders the template's form
//! with the values. The rules for single values are those of the `coder` provider, so that a form,
//! a build request and Terraform itself always agree.

pub mod classic;
pub mod dynamic;
mod values;

pub use terraform_provider::parameter as rules;
pub use values::{Invalid, Values};
