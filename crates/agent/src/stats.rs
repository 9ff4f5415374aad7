//! Statistics of the tunnel and its sessions, reported at an interval that the
//! server sets.

use std::time::Duration;

use futures::future::join_all;
use rpc::AgentClient;
use rpc::proto::agent as proto;
use tunnel::{Conn, Traffic};

use crate::manifest::duration;
use crate::metrics;
use crate::sessions::{Kind, Sessions};
use crate::workspace::Workspace;

/// Until the server names an interval.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(5);
/// An interval below this is a mistake.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// Peers that are measured for the median latency.
const MAX_PINGED: usize = 16;
/// Told when there is nobody to measure.
const NO_LATENCY: f64 = -0.001;

/// Reports until the first failure.
pub async fn report(
    workspace: &Workspace,
    tunnel: &Conn,
    client: &AgentClient,
) -> Result<(), rpc::drpc::Error> {
    let mut interval = ask(client, None).await?;
    let mut last = tunnel.traffic();
    loop {
        tokio::time::sleep(interval).await;
        let now = tunnel.traffic();
        let mut stats = stats(last, now, &workspace.sessions);
        stats.metrics = metrics::proto(workspace.metrics.collect(Some(tunnel)));
        stats.connection_median_latency_ms = latency(tunnel).await;
        last = now;
        interval = ask(client, Some(stats)).await?;
    }
}

async fn ask(
    client: &AgentClient,
    stats: Option<proto::Stats>,
) -> Result<Duration, rpc::drpc::Error> {
    let response = client
        .update_stats(&proto::UpdateStatsRequest { stats })
        .await?;
    let interval = duration(response.report_interval);
    Ok(if interval.is_zero() {
        DEFAULT_INTERVAL
    } else {
        interval.max(MIN_INTERVAL)
    })
}

fn stats(last: Traffic, now: Traffic, sessions: &Sessions) -> proto::Stats {
    let since = |now: u64, last: u64| i64::try_from(now.saturating_sub(last)).unwrap_or(i64::MAX);
    // Connections that were used since the last report count, even if they have ended.
    let connections =
        since(now.tcp_opened, last.tcp_opened).max(i64::try_from(now.tcp_open).unwrap_or(i64::MAX));
    let counts = Kind::ALL.map(|kind| (kind, sessions.count(kind)));
    let count = |kind: Kind| sessions.count(kind);
    proto::Stats {
        connections_by_proto: [("TCP".to_owned(), connections)]
            .into_iter()
            .filter(|c| c.1 > 0)
            .collect(),
        connection_count: connections,
        rx_packets: since(now.rx_packets, last.rx_packets),
        rx_bytes: since(now.rx_bytes, last.rx_bytes),
        tx_packets: since(now.tx_packets, last.tx_packets),
        tx_bytes: since(now.tx_bytes, last.tx_bytes),
        session_count_vscode: count(Kind::VsCode),
        session_count_jetbrains: count(Kind::JetBrains),
        session_count_reconnecting_pty: count(Kind::ReconnectingPty),
        session_count_ssh: count(Kind::Ssh),
        session_counts: counts
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(kind, n)| (kind.name().to_owned(), n))
            .collect(),
        ..Default::default()
    }
}

/// Median time to the peers in use and back, in milliseconds.
async fn latency(tunnel: &Conn) -> f64 {
    let peers = tunnel
        .peers()
        .into_iter()
        .filter(|peer| peer.via.is_some())
        .take(MAX_PINGED);
    let pings = join_all(peers.map(|peer| async move { tunnel.ping(peer.id).await.ok() })).await;
    let mut latencies: Vec<f64> = pings
        .into_iter()
        .flatten()
        .map(|pong| pong.latency.as_secs_f64() * 1000.0)
        .collect();
    latencies.sort_by(f64::total_cmp);
    latencies
        .get(latencies.len() / 2)
        .copied()
        .unwrap_or(NO_LATENCY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_differences_and_sessions_are_not() {
        let sessions = Sessions::new();
        let _session = sessions.begin(Some(Kind::Ssh), String::new());
        let last = Traffic {
            rx_bytes: 10,
            tcp_opened: 5,
            ..Default::default()
        };
        let now = Traffic {
            rx_bytes: 25,
            tcp_opened: 7,
            tcp_open: 1,
            ..Default::default()
        };
        let stats = stats(last, now, &sessions);
        assert_eq!(
            (
                stats.rx_bytes,
                stats.connection_count,
                stats.session_count_ssh
            ),
            (15, 2, 1)
        );
        assert_eq!(stats.session_counts.get("ssh"), Some(&1));
        assert_eq!(stats.session_counts.len(), 1);
    }
}
