//! How busy the deployment is.

use authz::{Action, Object, ResourceType, Subject};

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, Time};

record! {
    /// Workspaces by state, and traffic since a point in time.
    pub struct DeploymentStatsRow {
        /// Builds that wait.
        pub pending: i64,
        /// Builds that run.
        pub building: i64,
        /// Started.
        pub running: i64,
        /// Whose last build failed.
        pub failed: i64,
        /// Stopped.
        pub stopped: i64,
        /// Bytes that workspaces received.
        pub rx_bytes: i64,
        /// Bytes that workspaces sent.
        pub tx_bytes: i64,
        /// Median latency of connections, milliseconds; none if there were none.
        pub latency_p50: Option<f64>,
        /// Latency that one in twenty exceeded.
        pub latency_p95: Option<f64>,
        /// Latest active sessions by app, summed: `vscode`.
        pub vscode: i64,
        /// The same of `ssh`.
        pub ssh: i64,
        /// The same of `jetbrains`.
        pub jetbrains: i64,
        /// The same of `reconnecting_pty`.
        pub reconnecting_pty: i64,
    }
}

impl Conn {
    /// Figures since a point in time. Sessions are those of each agent's latest report, or, by what
    /// clients tell (`usage`), those of its latest whole minute.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn deployment_stats_read(
        &self,
        who: &Subject,
        since: Time,
        usage: bool,
    ) -> Result<DeploymentStatsRow> {
        who.may(Action::Read, &Object::new(ResourceType::DeploymentStats))?;
        let sql = "WITH latest AS ( \
                SELECT DISTINCT ON (b.workspace_id) b.transition, j.job_status AS status \
                FROM workspace_builds b \
                JOIN workspaces w ON w.id = b.workspace_id AND NOT w.deleted \
                JOIN provisioner_jobs j ON j.id = b.job_id \
                ORDER BY b.workspace_id, b.build_number DESC), \
            stats AS (SELECT * FROM workspace_agent_stats WHERE created_at > $1), \
            latest_reports AS (SELECT DISTINCT ON (agent_id) session_counts FROM stats \
                WHERE NOT usage ORDER BY agent_id, created_at DESC), \
            told AS (SELECT agent_id, session_counts, date_trunc('minute', created_at) AS minute \
                FROM stats WHERE usage AND created_at < date_trunc('minute', now())), \
            sessions AS (SELECT session_counts FROM latest_reports WHERE NOT $2 \
                UNION ALL SELECT session_counts FROM told WHERE $2 AND (agent_id, minute) IN \
                    (SELECT agent_id, max(minute) FROM told GROUP BY agent_id)) \
            SELECT count(*) FILTER (WHERE status = 'pending') AS pending, \
                count(*) FILTER (WHERE status IN ('running', 'canceling')) AS building, \
                count(*) FILTER (WHERE status = 'succeeded' AND transition = 'start') AS running, \
                count(*) FILTER (WHERE status IN ('failed', 'canceled')) AS failed, \
                count(*) FILTER (WHERE status = 'succeeded' AND transition = 'stop') AS stopped, \
                (SELECT coalesce(sum(rx_bytes), 0)::bigint FROM stats) AS rx_bytes, \
                (SELECT coalesce(sum(tx_bytes), 0)::bigint FROM stats) AS tx_bytes, \
                (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY connection_median_latency_ms) \
                    FROM stats WHERE connection_median_latency_ms > 0) AS latency_p50, \
                (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY connection_median_latency_ms) \
                    FROM stats WHERE connection_median_latency_ms > 0) AS latency_p95, \
                (SELECT coalesce(sum((session_counts ->> 'vscode')::bigint), 0)::bigint FROM sessions) AS vscode, \
                (SELECT coalesce(sum((session_counts ->> 'ssh')::bigint), 0)::bigint FROM sessions) AS ssh, \
                (SELECT coalesce(sum((session_counts ->> 'jetbrains')::bigint), 0)::bigint FROM sessions) AS jetbrains, \
                (SELECT coalesce(sum((session_counts ->> 'reconnecting_pty')::bigint), 0)::bigint FROM sessions) AS reconnecting_pty \
            FROM latest";
        self.fetch_one(sql, &[&since, &usage]).await
    }
}
