//! How long the steps of a build and the scripts of its agents took.

use api_types::{
    AgentConnectionTiming, AgentScriptTiming, ProvisionerTiming, WorkspaceBuildTimings,
};
use uuid::Uuid;

use crate::StoreError;
use crate::cols::Cols;
use crate::conn::Conn;

impl Conn {
    /// How long the steps of a build took, that `who` was allowed to read.
    pub async fn workspace_build_timings(
        &self,
        build: Uuid,
    ) -> Result<WorkspaceBuildTimings, StoreError> {
        let provisioner = self
            .query(
                "SELECT t.job_id, t.started_at, t.ended_at, t.stage, t.source, t.action, t.resource
                 FROM provisioner_job_timings t JOIN workspace_builds b ON b.job_id = t.job_id
                 WHERE b.id = $1 ORDER BY t.started_at",
                &[&build],
            )
            .await?;
        let scripts = self
            .query(
                "SELECT t.started_at, t.ended_at, t.exit_code, t.stage, t.status, s.display_name,
                        a.id::text, a.name
                 FROM workspace_builds b JOIN workspace_resources r ON r.job_id = b.job_id
                 JOIN workspace_agents a ON a.resource_id = r.id
                 JOIN workspace_agent_scripts s ON s.workspace_agent_id = a.id
                 JOIN workspace_agent_script_timings t ON t.script_id = s.id
                 WHERE b.id = $1 ORDER BY t.started_at",
                &[&build],
            )
            .await?;
        let agents = self
            .query(
                "SELECT a.created_at, a.first_connected_at, a.id::text, a.name
                 FROM workspace_builds b JOIN workspace_resources r ON r.job_id = b.job_id
                 JOIN workspace_agents a ON a.resource_id = r.id
                 WHERE b.id = $1 AND a.first_connected_at IS NOT NULL ORDER BY a.name",
                &[&build],
            )
            .await?;
        let mut timings = WorkspaceBuildTimings::default();
        for row in &provisioner {
            let mut cols = Cols::new(row);
            timings.provisioner_timings.push(ProvisionerTiming {
                job_id: cols.next()?,
                started_at: cols.next()?,
                ended_at: cols.next()?,
                stage: cols.text()?,
                source: cols.next()?,
                action: cols.next()?,
                resource: cols.next()?,
            });
        }
        for row in &scripts {
            let mut cols = Cols::new(row);
            timings.agent_script_timings.push(AgentScriptTiming {
                started_at: cols.next()?,
                ended_at: cols.next()?,
                exit_code: cols.next()?,
                stage: cols.text()?,
                status: cols.next()?,
                display_name: cols.next()?,
                workspace_agent_id: cols.next()?,
                workspace_agent_name: cols.next()?,
            });
        }
        for row in &agents {
            let mut cols = Cols::new(row);
            timings
                .agent_connection_timings
                .push(AgentConnectionTiming {
                    started_at: cols.next()?,
                    ended_at: cols.next()?,
                    stage: "connect".into(),
                    workspace_agent_id: cols.next()?,
                    workspace_agent_name: cols.next()?,
                });
        }
        Ok(timings)
    }
}
