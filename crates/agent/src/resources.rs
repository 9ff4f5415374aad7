//! Memory and disk use, reported where the template asks for it.

use std::collections::VecDeque;
use std::fs;
use std::time::{Duration, SystemTime};

use rpc::AgentClient;
use rpc::proto::agent::push_resources_monitoring_usage_request::Datapoint;
use rpc::proto::agent::push_resources_monitoring_usage_request::datapoint::{
    MemoryUsage, VolumeUsage,
};
use rpc::proto::agent::{
    GetResourcesMonitoringConfigurationRequest, PushResourcesMonitoringUsageRequest,
};

/// Points that a server may ask for at once.
const MAX_POINTS: i32 = 1024;

/// Collects and reports until the first failure; returns at once if nothing is wanted.
pub async fn monitor(client: &AgentClient) -> Result<(), rpc::drpc::Error> {
    let wanted = client
        .get_resources_monitoring_configuration(&GetResourcesMonitoringConfigurationRequest {})
        .await?;
    let memory = wanted.memory.is_some_and(|memory| memory.enabled);
    let volumes: Vec<String> = wanted
        .volumes
        .into_iter()
        .filter(|v| v.enabled)
        .map(|v| v.path)
        .collect();
    let config = wanted.config.unwrap_or_default();
    if !memory && volumes.is_empty() {
        return Ok(());
    }
    let points = config.num_datapoints.clamp(1, MAX_POINTS) as usize;
    let interval = Duration::from_secs(config.collection_interval_seconds.max(1) as u64);
    let mut window = VecDeque::with_capacity(points);
    loop {
        if window.len() == points {
            window.pop_front();
        }
        window.push_back(Datapoint {
            collected_at: Some(SystemTime::now().into()),
            memory: if memory { memory_usage() } else { None },
            volumes: volumes
                .iter()
                .filter_map(|path| volume_usage(path))
                .collect(),
        });
        if window.len() == points {
            let datapoints = window.iter().cloned().collect();
            client
                .push_resources_monitoring_usage(&PushResourcesMonitoringUsageRequest {
                    datapoints,
                })
                .await?;
        }
        tokio::time::sleep(interval).await;
    }
}

/// Use of memory: of the container, if it has a limit, else of the machine.
fn memory_usage() -> Option<MemoryUsage> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    container_memory(
        &read("/sys/fs/cgroup/memory.max"),
        &read("/sys/fs/cgroup/memory.current"),
        &read("/sys/fs/cgroup/memory.stat"),
    )
    .or_else(|| machine_memory(&read("/proc/meminfo")))
}

/// From the files of a version 2 control group. Pages of files that can be
/// dropped at any time are not in use.
fn container_memory(max: &str, current: &str, stat: &str) -> Option<MemoryUsage> {
    let total: i64 = max.trim().parse().ok()?;
    let current: i64 = current.trim().parse().ok()?;
    let inactive = stat
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok());
    Some(MemoryUsage {
        used: (current - inactive.unwrap_or(0)).max(0),
        total,
    })
}

fn machine_memory(meminfo: &str) -> Option<MemoryUsage> {
    let field = |name: &str| -> Option<i64> {
        let line = meminfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().next()?.parse::<i64>().ok()? * 1024)
    };
    let total = field("MemTotal")?;
    Some(MemoryUsage {
        used: total - field("MemAvailable")?,
        total,
    })
}

fn volume_usage(path: &str) -> Option<VolumeUsage> {
    let volume = nix::sys::statvfs::statvfs(path)
        .inspect_err(|error| tracing::warn!(%error, path, "a volume's use is not known"))
        .ok()?;
    let bytes = |blocks: u64| {
        i64::try_from(blocks.saturating_mul(volume.fragment_size())).unwrap_or(i64::MAX)
    };
    Some(VolumeUsage {
        volume: path.to_owned(),
        used: bytes(volume.blocks().saturating_sub(volume.blocks_free())),
        total: bytes(volume.blocks()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_with_a_limit_counts_for_itself() {
        let usage = container_memory("1000\n", "600\n", "anon 1\ninactive_file 100\n").unwrap();
        assert_eq!((usage.used, usage.total), (500, 1000));
        assert!(container_memory("max\n", "600\n", "").is_none());
        assert!(container_memory("", "", "").is_none());
    }

    #[test]
    fn a_machine_counts_what_is_not_available() {
        let usage = machine_memory("MemTotal: 10 kB\nMemFree: 1 kB\nMemAvailable: 4 kB\n").unwrap();
        assert_eq!((usage.used, usage.total), (6 * 1024, 10 * 1024));
        assert!(machine_memory("MemTotal: x").is_none());
    }

    #[test]
    fn volumes_have_a_size() {
        assert!(volume_usage("/").unwrap().total > 0);
        assert!(volume_usage("/does/not/exist").is_none());
    }
}
