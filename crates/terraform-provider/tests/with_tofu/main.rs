//! The provider under a real OpenTofu, alone and beside another implementation.
//!
//! OpenTofu comes from `CODER_TEST_TOFU`, `PATH` or `target/vendor`; the other implementation from `CODER_TEST_PEERS`.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod against_peer;
mod installation;
mod starters;
mod tofu;
