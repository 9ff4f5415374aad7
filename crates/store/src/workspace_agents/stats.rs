//! Traffic and sessions, as agents report them.

use std::collections::BTreeMap;

use authz::Subject;
use tokio_postgres::types::Json;

use super::{AgentSession, may_report};
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
}

impl Conn {
    /// Adds a report.
    pub async fn agent_stats_insert(
        &self,
        who: &Subject,
        session: &AgentSession,
        stats: &NewAgentStats,
        now: Time,
    ) -> Result<()> {
        may_report(who)?;
        let sql = "INSERT INTO workspace_agent_stats (created_at, agent_id, workspace_id, user_id, \
                 template_id, connections_by_proto, connection_count, rx_packets, rx_bytes, \
                 tx_packets, tx_bytes, session_counts, connection_median_latency_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        let params: [crate::conn::SqlParam<'_>; 13] = [
            &now,
            &session.agent_id,
            &session.workspace_id,
            &session.owner_id,
            &session.template_id,
            &Json(&stats.connections_by_proto),
            &stats.connection_count,
            &stats.rx_packets,
            &stats.rx_bytes,
            &stats.tx_packets,
            &stats.tx_bytes,
            &Json(&stats.session_counts),
            &stats.connection_median_latency_ms,
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
