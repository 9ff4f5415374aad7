//! Runs of scripts.

use authz::Subject;
use uuid::Uuid;

use super::may_report;
use crate::conn::Conn;
use crate::{Result, StoreError, Time};

/// How a run of a script went.
#[derive(Debug, Clone)]
pub struct ScriptRun {
    /// The script.
    pub script_id: Uuid,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// How it exited.
    pub exit_code: i32,
    /// `start`, `stop` or `cron`.
    pub stage: &'static str,
    /// `ok`, `exit_failure`, `timed_out` or `pipes_left_open`.
    pub status: &'static str,
}

impl Conn {
    /// Notes a run of one of an agent's scripts. The same run reported again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the script is not one of the agent.
    pub async fn agent_script_completed(
        &self,
        who: &Subject,
        agent: Uuid,
        run: &ScriptRun,
    ) -> Result<()> {
        may_report(who)?;
        let sql = "WITH script AS (UPDATE workspace_agent_scripts \
                 SET exit_code = $5, status = $7 \
                 WHERE id = $2 AND workspace_agent_id = $1 RETURNING id), \
             run AS (INSERT INTO workspace_agent_script_timings \
                 (script_id, started_at, ended_at, exit_code, stage, status) \
                 SELECT id, $3, $4, $5, $6, $7 FROM script \
                 ON CONFLICT (script_id, started_at) DO NOTHING) \
             SELECT id FROM script";
        let params: [crate::conn::SqlParam<'_>; 7] = [
            &agent,
            &run.script_id,
            &run.started_at,
            &run.ended_at,
            &run.exit_code,
            &run.stage,
            &run.status,
        ];
        self.query_opt(sql, &params)
            .await?
            .map(drop)
            .ok_or(StoreError::NotFound)
    }
}
