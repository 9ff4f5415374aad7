//! How far each region is, by a small HTTP request to its first relay.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tunnel_proto::derp_map::{DerpMap, DerpNode};

use super::{dial, http};
use crate::shared::Shared;

/// A region that does not answer in this time has no latency.
const TIMEOUT: Duration = Duration::from_secs(3);
/// After the first answer, others get at least so long.
const MIN_GRACE: Duration = Duration::from_millis(20);

/// Measures `regions` at the same time. Returns when all answered, or when any answer still missing
/// would be more than twice as slow as the first.
pub(super) async fn measure(
    shared: &Arc<Shared>,
    map: &Arc<DerpMap>,
    regions: &[u16],
) -> BTreeMap<u16, Duration> {
    let begun = Instant::now();
    let mut requests = JoinSet::new();
    for &region in regions {
        let node = map
            .regions
            .get(&region)
            .and_then(|region| region.relays().next().cloned());
        if let Some(node) = node {
            let shared = shared.clone();
            requests.spawn(async move { (region, request(&shared, &node).await) });
        }
    }
    let mut latencies = BTreeMap::new();
    let mut until = begun + TIMEOUT;
    while let Ok(Some(Ok((region, result)))) =
        tokio::time::timeout_at(until.into(), requests.join_next()).await
    {
        match result {
            Ok(latency) => {
                if latencies.is_empty() {
                    until =
                        until.min(begun + (begun.elapsed() * 2).max(begun.elapsed() + MIN_GRACE));
                }
                latencies.insert(region, latency);
            }
            Err(error) => tracing::debug!(region, %error, "relay does not answer"),
        }
    }
    latencies
}

/// Time of one request on an open connection.
async fn request(shared: &Arc<Shared>, node: &DerpNode) -> io::Result<Duration> {
    let mut io = dial::stream(&shared.relays, node).await?;
    let begun = Instant::now();
    let head = http::get(
        &mut io,
        node,
        "/derp/latency-check",
        "Connection: close\r\n",
        &shared.relays.headers,
    )
    .await?;
    if head.status != 200 {
        return Err(io::Error::other(format!("HTTP {}", head.status)));
    }
    Ok(begun.elapsed())
}
