//! The provider under a real OpenTofu, alone and beside another implementation.
//!
//! OpenTofu comes from `CODER_TEST_TOFU`, `PATH` or `target/vendor`; the other implementation from `CODER_TEST_PEERS`.

mod against_peer;
mod installation;
mod tofu;
