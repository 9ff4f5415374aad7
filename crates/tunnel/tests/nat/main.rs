//! Two tunnel ends in real network namespaces, with real NAT between them (nftables), a relay and
//! STUN servers on the "Internet" between. Needs root, `ip` and `nft`; says so if they are missing.
//!
//! `cargo test -p tunnel --test nat` runs all scenarios.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

#[path = "../support/mod.rs"]
mod support;

mod clock;
mod ends;
mod namespace;
mod scenarios;
mod topology;

use topology::Topology;

/// One test: the namespaces are built once, and the scenarios change what is in them.
#[test]
fn scenarios_behind_real_nat() {
    if let Err(why) = namespace::available() {
        println!("skipped: network namespaces need {why}");
        return;
    }
    let topology = Topology::build();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(scenarios::all(&topology));
}
