//! Path discovery on a simulated Internet: translations of every kind, loss, delay, reordering,
//! duplication, hairpins, networks that change, and attackers. Everything follows from a seed.
//!
//! `PATH_SCENARIOS` sets the number of random scenarios, `PATH_SEED` runs one of them alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod attacks;
mod end;
mod nat;
mod network;
mod random;
mod scenario;
mod world;

use scenario::{Scenario, run};

/// Enough for every pair of kinds a few times, in a few seconds without optimisation.
const SCENARIOS: u64 = 1000;

#[test]
fn random_scenarios_keep_the_promises() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("PATH_SEED") {
        let scenario = Scenario::random(seed);
        eprintln!("{scenario:#?}");
        run(&scenario).unwrap();
        return;
    }
    let mut failures = Vec::new();
    let count = number("PATH_SCENARIOS").unwrap_or(SCENARIOS);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        let part = |worker: u64| {
            let seeds = (worker..count).step_by(workers as usize);
            seeds
                .filter_map(|seed| {
                    let scenario = Scenario::random(seed);
                    let error = run(&scenario).err()?;
                    Some(format!("PATH_SEED={seed}: {error}\n  {scenario:?}"))
                })
                .collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || part(worker)))
            .collect();
        for worker in running {
            failures.extend(worker.join().unwrap());
        }
    });
    assert!(
        failures.is_empty(),
        "{} of {count} scenarios:\n{}",
        failures.len(),
        failures[..failures.len().min(10)].join("\n")
    );
}
