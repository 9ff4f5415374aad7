//! What every resource has in common: checking configurations, planning, filling in what is computed. Knows the
//! schema's tables, no resource in particular.
//!
//! The rules are those of the older of Terraform's two provider kits ("legacy type system"), because state and plans
//! written by it must go on working: defaults are part of the plan, and a null counts as equal to a zero.

mod conform;
mod plan;
mod settle;
mod validate;

pub use conform::conform;
pub use plan::plan;
pub use settle::{settle_data, settle_resource};
pub use validate::validate;
