//! Use of the whole machine, from `/proc` and the file system.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Usage;

/// Cores in use during `sample`.
pub async fn cpu(sample: Duration) -> Result<Usage> {
    let read = || {
        std::fs::read_to_string("/proc/stat")
            .context("read /proc/stat")
            .and_then(|t| parse_cpu(&t))
    };
    let before = read()?;
    tokio::time::sleep(sample).await;
    let after = read()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let (busy, all) = (
        after.0.saturating_sub(before.0),
        after.1.saturating_sub(before.1),
    );
    let share = if all == 0 {
        0.0
    } else {
        busy as f64 / all as f64
    };
    Ok(Usage {
        total: Some(cores),
        unit: "cores",
        used: share * cores,
    })
}

/// Busy and all ticks since the machine started.
fn parse_cpu(stat: &str) -> Result<(u64, u64)> {
    let line = stat
        .lines()
        .find_map(|l| l.strip_prefix("cpu "))
        .context("/proc/stat has no line of all cores")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("/proc/stat")?;
    anyhow::ensure!(ticks.len() >= 5, "/proc/stat has too few numbers");
    // Guest time is counted in user time already.
    let all: u64 = ticks.iter().take(8).sum();
    let idle = ticks[3] + ticks[4];
    Ok((all - idle, all))
}

/// Memory in use.
pub fn memory() -> Result<Usage> {
    parse_memory(&std::fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?)
}

fn parse_memory(meminfo: &str) -> Result<Usage> {
    let field = |name: &str| {
        let line = meminfo
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        number
            .map(|kib| kib * 1024.0)
            .with_context(|| format!("/proc/meminfo has no {name}"))
    };
    let total = field("MemTotal")?;
    Ok(Usage {
        total: Some(total),
        unit: "B",
        used: total - field("MemAvailable")?,
    })
}

/// Space in use on the disk of `path`.
pub fn disk(path: &Path) -> Result<Usage> {
    let stat = nix::sys::statvfs::statvfs(path)
        .with_context(|| format!("cannot look at {}", path.display()))?;
    let size = stat.fragment_size() as f64;
    let (total, free) = (
        stat.blocks() as f64 * size,
        stat.blocks_free() as f64 * size,
    );
    Ok(Usage {
        total: Some(total),
        unit: "B",
        used: total - free,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_parse() {
        assert_eq!(
            parse_cpu("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1 2\n").unwrap(),
            (20, 100)
        );
        assert!(parse_cpu("cpu0 1 2 3 4 5\n").is_err());
        assert!(parse_cpu("cpu  1 2 x 4 5\n").is_err());
        let usage =
            parse_memory("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:  40 kB\n").unwrap();
        assert_eq!((usage.total, usage.used), (Some(102_400.0), 61_440.0));
        assert!(parse_memory("MemTotal: 100 kB\n").is_err());
    }
}
