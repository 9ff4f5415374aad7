//! What agents and their scripts print.

use api_types::{LogLevel, WorkspaceAgentLog};
use authz::Subject;
use uuid::Uuid;

use super::{may_report, may_serve};
use crate::conn::Conn;
use crate::{Result, Time};

/// Bytes of output that are kept for one agent; what comes after is refused.
pub const LOGS_LIMIT: i32 = 1024 * 1024;
/// Lines that one read returns; a reader goes on from the last.
pub const MAX_LOGS_READ: usize = 10_000;

/// The channel on which new lines of an agent are announced.
pub fn logs_channel(agent: Uuid) -> String {
    format!("agent_logs:{agent}")
}

/// A line to add.
#[derive(Debug, Clone)]
pub struct NewAgentLog {
    /// When it was printed.
    pub created_at: Time,
    /// Its weight.
    pub level: LogLevel,
    /// The text, valid for the database.
    pub output: String,
}

/// Which lines to read, by their ids; both bounds are left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgentLogRange {
    /// Only later ones; 0 for all.
    pub after: i64,
    /// Only earlier ones; 0 for all.
    pub before: i64,
}

impl Conn {
    /// Adds lines and announces them; false when they would go beyond [`LOGS_LIMIT`]: none
    /// is added then, and the agent is marked as having said too much.
    pub async fn agent_logs_append(
        &self,
        who: &Subject,
        agent: Uuid,
        source: Uuid,
        logs: &[NewAgentLog],
    ) -> Result<bool> {
        may_report(who)?;
        let bytes: usize = logs.iter().map(|log| log.output.len()).sum();
        let Ok(bytes) = i32::try_from(bytes) else {
            return Ok(false);
        };
        let times: Vec<Time> = logs.iter().map(|log| log.created_at).collect();
        let levels: Vec<&str> = logs.iter().map(|log| log.level.as_str()).collect();
        let outputs: Vec<&str> = logs.iter().map(|log| log.output.as_str()).collect();
        // The row of the agent is locked first, so that ids rise in the order of commits.
        let sql = "WITH room AS (UPDATE workspace_agents \
                 SET logs_length = logs_length + CASE \
                         WHEN NOT logs_overflowed AND logs_length + $3 <= $4 THEN $3 ELSE 0 END, \
                     logs_overflowed = logs_overflowed OR logs_length + $3 > $4 \
                 WHERE id = $1 RETURNING logs_overflowed), \
             added AS (INSERT INTO workspace_agent_logs \
                 (agent_id, created_at, level, log_source_id, output) \
                 SELECT $1, l.at, l.level, $2, l.output \
                 FROM room, unnest($5::timestamptz[], $6::text[], $7::text[]) \
                      WITH ORDINALITY AS l (at, level, output, place) \
                 WHERE NOT room.logs_overflowed ORDER BY l.place RETURNING id) \
             SELECT NOT room.logs_overflowed, \
                    (SELECT pg_notify($8, max(id)::text)::text FROM added HAVING count(*) > 0) \
             FROM room";
        let params: [crate::conn::SqlParam<'_>; 8] = [
            &agent,
            &source,
            &bytes,
            &LOGS_LIMIT,
            &times,
            &levels,
            &outputs,
            &logs_channel(agent),
        ];
        Ok(self.query_one(sql, &params).await?.try_get(0)?)
    }

    /// Lines of agents, oldest first. The caller has been allowed to read the workspace.
    pub async fn agent_logs(
        &self,
        agent: Uuid,
        range: AgentLogRange,
    ) -> Result<Vec<WorkspaceAgentLog>> {
        let before = if range.before > 0 {
            range.before
        } else {
            i64::MAX
        };
        let sql = "SELECT id, created_at, output, level, log_source_id \
             FROM workspace_agent_logs WHERE agent_id = $1 AND id > $2 AND id < $3 \
             ORDER BY id LIMIT $4";
        let rows = self
            .query(
                sql,
                &[&agent, &range.after, &before, &(MAX_LOGS_READ as i64)],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(WorkspaceAgentLog {
                    id: row.try_get(0)?,
                    created_at: row.try_get(1)?,
                    output: row.try_get(2)?,
                    level: LogLevel::from(row.try_get::<_, &str>(3)?),
                    source_id: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Makes sure that an agent has a log source; a known one is left as it is.
    pub async fn agent_log_source_ensure(
        &self,
        who: &Subject,
        agent: Uuid,
        id: Uuid,
        display_name: &str,
        icon: &str,
        now: Time,
    ) -> Result<()> {
        may_report(who)?;
        let sql = "INSERT INTO workspace_agent_log_sources \
             (id, workspace_agent_id, created_at, display_name, icon) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        self.execute(sql, &[&id, &agent, &now, &display_name, &icon])
            .await?;
        Ok(())
    }

    /// Whether an agent belongs to its workspace's current build.
    pub async fn agent_is_current(&self, who: &Subject, agent: Uuid) -> Result<bool> {
        may_serve(who)?;
        let sql = format!(
            "SELECT {} AND NOT a.deleted AND NOT w.deleted FROM {} WHERE a.id = $1",
            super::session::CURRENT,
            super::session::UP
        );
        match self.query_opt(&sql, &[&agent]).await? {
            Some(row) => Ok(row.try_get(0)?),
            None => Ok(false),
        }
    }

    /// Deletes the lines of agents that belong to old builds and last connected before
    /// `before`; how many.
    pub async fn agent_logs_purge(&self, who: &Subject, before: Time) -> Result<u64> {
        authz::authorize(
            who,
            authz::Action::Delete,
            &authz::Object::new(authz::ResourceType::System),
        )?;
        let sql = "DELETE FROM workspace_agent_logs WHERE agent_id IN ( \
             SELECT a.id FROM workspace_agents a \
             JOIN workspace_resources r ON r.id = a.resource_id \
             JOIN workspace_builds b ON b.job_id = r.job_id \
             JOIN workspaces w ON w.id = b.workspace_id \
             WHERE b.build_number < w.latest_build_number \
               AND coalesce(a.last_connected_at, a.created_at) < $1)";
        self.execute(sql, &[&before]).await
    }
}
