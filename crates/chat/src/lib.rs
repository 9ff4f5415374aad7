//! Chats with AI agents: operations in, events out.
//!
//! - [`state`] is the table of what may happen when; [`machine`] applies it to rows, a
//!   transaction each.
//! - [`worker`] finds chats that run, leases them, and generates: [`generate`] decides what is
//!   next, asks the model, runs tools; [`prompt`] is what the model is told.
//! - [`debug`] keeps what models were asked and answered, for those who want to look.
//! - [`live`] shows viewers what happens, while it happens.
//! - [`models`] and [`tools`] are what is asked of the rest of the house.
//!
//! No HTTP, no SQL, no keys and no prices.

pub mod compaction;
pub mod debug;
pub mod files;
pub mod generate;
pub mod history;
pub mod live;
pub mod machine;
pub mod models;
pub mod prompt;
pub mod sent_files;
pub mod skills;
pub mod state;
pub mod titles;
pub mod tools;
pub mod worker;
