//! The file by which editors show the quality of a connection.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use tunnel::Via;

use super::AbortOnDrop;
use crate::connect::diagnosis;
use crate::connect::link::Link;

/// Editors poll; writing more often helps nobody.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// What the file holds; names and units are those that editors read.
#[derive(Debug, Serialize)]
struct Info {
    p2p: bool,
    /// Milliseconds.
    latency: f64,
    preferred_derp: String,
    derp_latency: std::collections::BTreeMap<String, f64>,
    upload_bytes_sec: i64,
    download_bytes_sec: i64,
    using_coder_connect: bool,
}

/// Writes `<dir>/<parent process>.json` every `interval` until dropped.
pub fn start(dir: &Path, interval: Duration, link: &Link) -> Result<AbortOnDrop> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(format!("{}.json", std::os::unix::process::parent_id()));
    let (conn, agent, relays) = (link.conn().clone(), link.agent(), link.relays().clone());
    let interval = interval.max(LEAST_INTERVAL);
    Ok(AbortOnDrop(tokio::spawn(async move {
        let mut before = (Instant::now(), conn.traffic());
        loop {
            tokio::time::sleep(interval).await;
            let Ok(pong) = conn.ping(agent).await else {
                continue;
            };
            let now = (Instant::now(), conn.traffic());
            let seconds = now
                .0
                .duration_since(before.0)
                .as_secs_f64()
                .max(f64::EPSILON);
            let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds) as i64;
            let status = conn.status();
            let name = |region: u16| diagnosis::name(&relays, region);
            let milliseconds = |latency: Duration| latency.as_secs_f64() * 1000.0;
            let (p2p, relay) = match pong.via {
                Via::Relay(region) => (false, Some(region)),
                Via::Direct(_) => (true, status.home_region),
            };
            let info = Info {
                p2p,
                latency: milliseconds(pong.latency),
                preferred_derp: relay.map(name).unwrap_or_default(),
                derp_latency: status
                    .region_latency
                    .iter()
                    .map(|(region, latency)| (name(*region), milliseconds(*latency)))
                    .collect(),
                upload_bytes_sec: rate(now.1.tx_bytes, before.1.tx_bytes),
                download_bytes_sec: rate(now.1.rx_bytes, before.1.rx_bytes),
                using_coder_connect: false,
            };
            before = now;
            if let Err(error) = write(&path, &info) {
                tracing::debug!(%error, "cannot write the quality of the connection");
            }
        }
    })))
}

/// Replaces the file as a whole: a reader never sees half of it.
fn write(path: &Path, info: &Info) -> std::io::Result<()> {
    let text = serde_json::to_vec(info)?;
    let half = path.with_extension("tmp");
    std::fs::write(&half, text)?;
    std::fs::rename(half, path)
}
