//! Providers against the scripted server: what is asked, what is understood, how it fails.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod computer;
mod every_provider;
mod faults;
mod requests;
mod support;
