//! `coder speedtest` both ways, by both paths. That bytes flow is what counts
//! here; how fast is a matter of the benches.

use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use super::cell::Cell;

/// Runs the four at once: each lasts five seconds at least.
pub fn all(cell: &Cell) -> Result<()> {
    thread::scope(|scope| {
        let mut running = Vec::new();
        for relayed in [false, true] {
            for direction in ["down", "up"] {
                running.push(scope.spawn(move || {
                    one(cell, relayed, direction).with_context(|| {
                        format!(
                            "speedtest {direction} by {}",
                            if relayed { "relay" } else { "direct path" }
                        )
                    })
                }));
            }
        }
        running.into_iter().try_for_each(|test| {
            test.join()
                .map_err(|_| anyhow!("a speed test panicked"))
                .flatten()
        })
    })
}

fn one(cell: &Cell, relayed: bool, direction: &str) -> Result<()> {
    let args = [
        "speedtest",
        cell.workspace,
        "--time",
        "5s",
        "--direction",
        direction,
        "-o",
        "json",
    ];
    let out = cell.run(relayed, &args).run()?.ok()?;
    let report: serde_json::Value =
        serde_json::from_slice(&out.stdout).with_context(|| out.text())?;
    let speed = report["overall"]["throughput_mbits"].as_f64();
    ensure!(speed.is_some_and(|s| s > 0.0), "{report}");
    Ok(())
}
