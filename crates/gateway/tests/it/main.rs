//! Model calls over a real database and a scripted provider.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod budgets;
mod keys;
mod notices;
mod places;
mod records;
mod roles;
mod world;
