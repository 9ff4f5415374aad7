//! Traffic and sessions.

use chrono::Utc;
use rpc::proto::agent::{Stats, UpdateStatsResponse};
use store::workspace_agents::{AgentReport, NewAgentStats};

use super::AgentSession;
use super::convert::{cut, duration, text};
use crate::Control;

/// Protocols or apps of one report; more is noise.
const MAX_NAMES: usize = 64;
/// Longest name of a protocol or an app.
const MAX_NAME: usize = 64;

impl Control {
    /// Takes a report, if there is one, and tells when the next is due. It is written down with
    /// others.
    pub fn agent_stats_update(
        &self,
        agent: &AgentSession,
        stats: Option<Stats>,
    ) -> UpdateStatsResponse {
        if let Some(stats) = stats {
            let mut stats = report(stats);
            if self.settings().usage_by_clients {
                // They would be counted twice.
                stats.session_counts.clear();
            }
            let now = Utc::now();
            if stats.connection_count > 0 {
                self.activity().used(agent.workspace_id, now, true);
            }
            self.activity().report(AgentReport {
                at: now,
                agent_id: agent.agent_id,
                workspace_id: agent.workspace_id,
                owner_id: agent.owner_id,
                template_id: agent.template_id,
                stats,
            });
        }
        UpdateStatsResponse {
            report_interval: Some(duration(self.settings().agent_stats_refresh_interval)),
        }
    }
}

fn report(stats: Stats) -> NewAgentStats {
    let mut sessions = stats.session_counts;
    if sessions.is_empty() {
        // Agents before API level 2.11.
        sessions.extend(
            [
                ("vscode", stats.session_count_vscode),
                ("jetbrains", stats.session_count_jetbrains),
                ("reconnecting_pty", stats.session_count_reconnecting_pty),
                ("ssh", stats.session_count_ssh),
            ]
            .map(|(name, count)| (name.to_owned(), count)),
        );
    }
    let named = |map: std::collections::BTreeMap<String, i64>| {
        map.into_iter()
            .filter(|(_, count)| *count > 0)
            .take(MAX_NAMES)
            .map(|(name, count)| (text(cut(&name, MAX_NAME)), count))
            .collect()
    };
    NewAgentStats {
        connections_by_proto: named(stats.connections_by_proto),
        connection_count: stats.connection_count.max(0),
        rx_packets: stats.rx_packets.max(0),
        rx_bytes: stats.rx_bytes.max(0),
        tx_packets: stats.tx_packets.max(0),
        tx_bytes: stats.tx_bytes.max(0),
        session_counts: named(sessions),
        connection_median_latency_ms: if stats.connection_median_latency_ms.is_finite() {
            stats.connection_median_latency_ms
        } else {
            -1.0
        },
        usage: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_session_fields_count_when_the_map_is_absent() {
        let old = report(Stats {
            session_count_ssh: 2,
            ..Stats::default()
        });
        assert_eq!(old.session_counts.get("ssh"), Some(&2));
        assert_eq!(old.session_counts.len(), 1);
        let new = report(Stats {
            session_count_ssh: 2,
            session_counts: [("cursor".to_owned(), 1)].into(),
            ..Stats::default()
        });
        assert_eq!(new.session_counts.len(), 1);
        assert!(new.session_counts.contains_key("cursor"));
    }

    #[test]
    fn nonsense_numbers_are_tamed() {
        let odd = report(Stats {
            rx_bytes: -5,
            connection_median_latency_ms: f64::NAN,
            ..Stats::default()
        });
        assert_eq!(odd.rx_bytes, 0);
        assert!(odd.connection_median_latency_ms < 0.0);
    }
}
