//! Use of the container that this program runs in, from its control group
//! (version 2, and 1 where older machines have it).

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Usage;

const ROOT: &str = "/sys/fs/cgroup";

/// Whether this is a container, whose use differs from the machine's.
fn in_container() -> bool {
    Path::new("/.dockerenv").exists()
        || Path::new("/run/.containerenv").exists()
        || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
        || std::env::var_os("container").is_some()
}

fn number(path: &str) -> Result<f64> {
    let path = format!("{ROOT}/{path}");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    text.trim()
        .parse()
        .with_context(|| format!("{path} holds no number"))
}

/// Cores in use during `sample`; `None` outside of containers.
pub async fn cpu(sample: Duration) -> Result<Option<Usage>> {
    if !in_container() {
        return Ok(None);
    }
    let (before, since) = (used_seconds()?, Instant::now());
    tokio::time::sleep(sample).await;
    let used = (used_seconds()? - before) / since.elapsed().as_secs_f64();
    Ok(Some(Usage {
        total: cpu_limit(),
        unit: "cores",
        used,
    }))
}

fn used_seconds() -> Result<f64> {
    match fs::read_to_string(format!("{ROOT}/cpu.stat")) {
        Ok(text) if text.contains("usage_usec") => parse_usage(&text),
        _ => Ok(number("cpu,cpuacct/cpuacct.usage")
            .or_else(|_| number("cpuacct/cpuacct.usage"))?
            / 1e9),
    }
}

fn parse_usage(stat: &str) -> Result<f64> {
    let value = stat
        .lines()
        .find_map(|l| l.strip_prefix("usage_usec "))
        .context("cpu.stat has no usage_usec")?;
    Ok(value.trim().parse::<f64>().context("cpu.stat")? / 1e6)
}

/// Cores that the container may use; `None` without a limit.
fn cpu_limit() -> Option<f64> {
    if let Ok(text) = fs::read_to_string(format!("{ROOT}/cpu.max")) {
        return parse_limit(&text);
    }
    let quota = number("cpu,cpuacct/cpu.cfs_quota_us")
        .ok()
        .filter(|q| *q > 0.0)?;
    Some(quota / number("cpu,cpuacct/cpu.cfs_period_us").ok()?)
}

fn parse_limit(max: &str) -> Option<f64> {
    let (quota, period) = max.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok().filter(|p| *p > 0.0)?)
}

/// Memory in use; `None` outside of containers.
pub fn memory() -> Result<Option<Usage>> {
    if !in_container() {
        return Ok(None);
    }
    let (current, stat, max) = if Path::new(ROOT).join("memory.current").exists() {
        ("memory.current", "memory.stat", "memory.max")
    } else {
        (
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
            "memory/memory.limit_in_bytes",
        )
    };
    // The page cache goes when others need room, so it is not in use.
    let cache = fs::read_to_string(format!("{ROOT}/{stat}")).map_or(0.0, |t| parse_cache(&t));
    /// What version 1 says in place of "no limit", roughly.
    const UNLIMITED: f64 = 9.0e18;
    let total = number(max).ok().filter(|t| *t < UNLIMITED);
    Ok(Some(Usage {
        total,
        unit: "B",
        used: (number(current)? - cache).max(0.0),
    }))
}

fn parse_cache(stat: &str) -> f64 {
    let field = |name: &str| {
        stat.lines()
            .find_map(|l| l.strip_prefix(name)?.trim().parse::<f64>().ok())
    };
    field("inactive_file ")
        .or_else(|| field("total_inactive_file "))
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_files_parse() {
        assert_eq!(parse_limit("150000 100000\n"), Some(1.5));
        assert_eq!(parse_limit("max 100000\n"), None);
        assert_eq!(parse_limit("1 0\n"), None);
        assert!((parse_usage("usage_usec 2500000\nuser_usec 1\n").unwrap() - 2.5).abs() < 1e-9);
        assert!(parse_usage("user_usec 1\n").is_err());
        assert!((parse_cache("anon 5\ninactive_file 7\n") - 7.0).abs() < 1e-9);
        assert!(parse_cache("").abs() < 1e-9);
    }
}
