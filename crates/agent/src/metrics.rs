//! Counters and gauges of the agent: told to the server with the statistics, and
//! to whoever scrapes them.

use std::collections::BTreeMap;
use std::fmt::Write;

use parking_lot::Mutex;
use rpc::proto::agent::stats::{Metric as Proto, metric};
use tunnel::{Conn, Via};

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// Names that are known; labels are few and ours, so their number is bounded.
pub mod name {
    /// Viewers of terminals.
    pub const TERMINALS: &str = "agent_reconnecting_pty_connections_total";
    /// Terminals that could not be opened; label `error_type`.
    pub const TERMINAL_ERRORS: &str = "agent_reconnecting_pty_errors_total";
    /// SSH sessions; labels `magic_type` and `pty`.
    pub const SESSIONS: &str = "agent_sessions_total";
    /// SSH sessions that the agent failed to serve; as above, and `error_type`.
    pub const SESSION_ERRORS: &str = "agent_sessions_errors_total";
    /// SFTP sessions.
    pub const SFTP: &str = "agent_ssh_server_sftp_connections_total";
    /// SSH connections that ended in the middle of the protocol.
    pub const SSH_FAILED: &str = "agent_ssh_server_failed_connections_total";
    /// How long the start scripts took; label `success`.
    pub const START_SCRIPTS: &str = "coderd_agentstats_startup_script_seconds";
    /// Peers in use; label `connection_type`.
    pub const PEERS: &str = "coderd_agentstats_currently_reachable_peers";
}

type Labels = Vec<(&'static str, &'static str)>;

/// One value at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// What it is about.
    pub labels: Labels,
    /// How much.
    pub value: f64,
}

/// The values of an agent.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<(&'static str, Kind, Labels), f64>>);

impl Metrics {
    /// One more.
    pub fn count(&self, name: &'static str, labels: &[(&'static str, &'static str)]) {
        let key = (name, Kind::Counter, labels.to_vec());
        *self.0.lock().entry(key).or_default() += 1.0;
    }

    /// So much now.
    pub fn set(&self, name: &'static str, labels: &[(&'static str, &'static str)], value: f64) {
        let key = (name, Kind::Gauge, labels.to_vec());
        self.0.lock().insert(key, value);
    }

    /// Everything, with what the tunnel knows.
    pub fn collect(&self, tunnel: Option<&Conn>) -> Vec<Metric> {
        let kept = self.0.lock();
        let kept = kept.iter().map(|((name, kind, labels), value)| Metric {
            name,
            kind: *kind,
            labels: labels.clone(),
            value: *value,
        });
        let mut all: Vec<_> = kept.collect();
        if let Some(tunnel) = tunnel {
            all.extend(of_tunnel(tunnel));
        }
        all.sort_by(|a, b| (a.name, &a.labels).cmp(&(b.name, &b.labels)));
        all
    }
}

fn of_tunnel(tunnel: &Conn) -> Vec<Metric> {
    let peers = tunnel.peers();
    let peers_by = |direct: bool| {
        let is = |via: &Via| matches!(via, Via::Direct(_)) == direct;
        peers
            .iter()
            .filter(|peer| peer.via.as_ref().is_some_and(is))
            .count() as f64
    };
    let peers = |kind, value| Metric {
        name: name::PEERS,
        kind: Kind::Gauge,
        labels: vec![("connection_type", kind)],
        value,
    };
    let traffic = tunnel.traffic();
    let counter = |name, value: u64| Metric {
        name,
        kind: Kind::Counter,
        labels: Vec::new(),
        value: value as f64,
    };
    vec![
        peers("p2p", peers_by(true)),
        peers("derp", peers_by(false)),
        counter("agent_tunnel_rx_bytes_total", traffic.rx_bytes),
        counter("agent_tunnel_tx_bytes_total", traffic.tx_bytes),
        counter("agent_tunnel_rx_packets_total", traffic.rx_packets),
        counter("agent_tunnel_tx_packets_total", traffic.tx_packets),
        counter("agent_tunnel_dropped_packets_total", traffic.tx_dropped),
    ]
}

/// As the statistics carry them.
pub fn proto(metrics: Vec<Metric>) -> Vec<Proto> {
    let one = |metric: Metric| Proto {
        name: metric.name.to_owned(),
        r#type: match metric.kind {
            Kind::Counter => metric::Type::Counter,
            Kind::Gauge => metric::Type::Gauge,
        }
        .into(),
        value: metric.value,
        labels: metric
            .labels
            .into_iter()
            .map(|(name, value)| metric::Label {
                name: name.to_owned(),
                value: value.to_owned(),
            })
            .collect(),
    };
    metrics.into_iter().map(one).collect()
}

/// In the text format of Prometheus.
pub fn text(metrics: &[Metric]) -> String {
    let mut out = String::new();
    let mut last = "";
    for metric in metrics {
        // Writing to a string cannot fail.
        if metric.name != last {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let _ = writeln!(out, "# TYPE {} {kind}", metric.name);
            last = metric.name;
        }
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let labels = match labels.join(",") {
            labels if labels.is_empty() => labels,
            labels => format!("{{{labels}}}"),
        };
        let _ = writeln!(out, "{}{labels} {}", metric.name, metric.value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_add_up_and_read_as_text() {
        let metrics = Metrics::default();
        for pty in ["yes", "no", "yes"] {
            metrics.count(name::SESSIONS, &[("magic_type", "ssh"), ("pty", pty)]);
        }
        metrics.set(name::START_SCRIPTS, &[("success", "true")], 1.5);
        let all = metrics.collect(None);
        assert_eq!(
            text(&all),
            "# TYPE agent_sessions_total counter\n\
             agent_sessions_total{magic_type=\"ssh\",pty=\"no\"} 1\n\
             agent_sessions_total{magic_type=\"ssh\",pty=\"yes\"} 2\n\
             # TYPE coderd_agentstats_startup_script_seconds gauge\n\
             coderd_agentstats_startup_script_seconds{success=\"true\"} 1.5\n"
        );
        assert!((proto(all)[1].value - 2.0).abs() < f64::EPSILON);
    }
}
