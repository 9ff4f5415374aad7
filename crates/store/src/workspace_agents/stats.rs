//! Traffic and sessions, as agents report them.

use std::collections::BTreeMap;

use authz::Subject;
use tokio_postgres::types::Json;

use uuid::Uuid;

use super::may_report;
use crate::Result;
use crate::Time;
use crate::conn::Conn;

/// A report to add.
#[derive(Debug, Clone, Default)]
pub struct NewAgentStats {
    /// Connections since the last report, by protocol.
    pub connections_by_proto: BTreeMap<String, i64>,
    /// Connections since the last report.
    pub connection_count: i64,
    /// Packets received.
    pub rx_packets: i64,
    /// Bytes received.
    pub rx_bytes: i64,
    /// Packets sent.
    pub tx_packets: i64,
    /// Bytes sent.
    pub tx_bytes: i64,
    /// Active sessions by app name.
    pub session_counts: BTreeMap<String, i64>,
    /// Negative when there was no peer to measure.
    pub connection_median_latency_ms: f64,
    /// A client told it of itself, not the agent of its clients.
    pub usage: bool,
}

/// A report, whose it is, and when it came.
#[derive(Debug, Clone)]
pub struct AgentReport {
    /// When it came.
    pub at: Time,
    /// The agent.
    pub agent_id: Uuid,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// The workspace's owner.
    pub owner_id: Uuid,
    /// The workspace's template.
    pub template_id: Uuid,
    /// What was reported.
    pub stats: NewAgentStats,
}

impl Conn {
    /// Adds reports, all by one statement.
    pub async fn agent_stats_insert(&self, who: &Subject, reports: &[AgentReport]) -> Result<()> {
        may_report(who)?;
        fn column<T>(reports: &[AgentReport], of: impl Fn(&AgentReport) -> T) -> Vec<T> {
            reports.iter().map(of).collect()
        }
        let sql = "INSERT INTO workspace_agent_stats (created_at, agent_id, workspace_id, user_id, \
                 template_id, connections_by_proto, connection_count, rx_packets, rx_bytes, \
                 tx_packets, tx_bytes, session_counts, connection_median_latency_ms, usage) \
             SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::uuid[], \
                 $5::uuid[], $6::jsonb[], $7::bigint[], $8::bigint[], $9::bigint[], \
                 $10::bigint[], $11::bigint[], $12::jsonb[], $13::double precision[], \
                 $14::boolean[])";
        let params: [crate::conn::SqlParam<'_>; 14] = [
            &column(reports, |r| r.at),
            &column(reports, |r| r.agent_id),
            &column(reports, |r| r.workspace_id),
            &column(reports, |r| r.owner_id),
            &column(reports, |r| r.template_id),
            &column(reports, |r| Json(r.stats.connections_by_proto.clone())),
            &column(reports, |r| r.stats.connection_count),
            &column(reports, |r| r.stats.rx_packets),
            &column(reports, |r| r.stats.rx_bytes),
            &column(reports, |r| r.stats.tx_packets),
            &column(reports, |r| r.stats.tx_bytes),
            &column(reports, |r| Json(r.stats.session_counts.clone())),
            &column(reports, |r| r.stats.connection_median_latency_ms),
            &column(reports, |r| r.stats.usage),
        ];
        self.execute(sql, &params).await?;
        Ok(())
    }

    /// Deletes reports from before `before`; how many.
    pub async fn agent_stats_purge(&self, who: &Subject, before: Time) -> Result<u64> {
        authz::authorize(
            who,
            authz::Action::Delete,
            &authz::Object::new(authz::ResourceType::System),
        )?;
        self.execute(
            "DELETE FROM workspace_agent_stats WHERE created_at < $1",
            &[&before],
        )
        .await
    }
}
