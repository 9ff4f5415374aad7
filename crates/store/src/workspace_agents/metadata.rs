//! Values that agents collect by scripts of the template.

use api_types::{
    WorkspaceAgentMetadata, WorkspaceAgentMetadataDescription, WorkspaceAgentMetadataResult,
};
use authz::Subject;
use chrono::Utc;
use uuid::Uuid;

use super::may_report;
use crate::conn::Conn;
use crate::{Result, Time, never};

/// The channel on which new values of an agent are announced.
pub fn metadata_channel(agent: Uuid) -> String {
    format!("agent_metadata:{agent}")
}

/// A value to set.
#[derive(Debug, Clone)]
pub struct MetadataValue {
    /// Which one.
    pub key: String,
    /// What its script printed.
    pub value: String,
    /// Why it could not be collected.
    pub error: String,
}

impl Conn {
    /// Sets values and announces them. Keys that the template does not declare are ignored.
    pub async fn agent_metadata_update(
        &self,
        who: &Subject,
        agent: Uuid,
        values: &[MetadataValue],
        collected_at: Time,
    ) -> Result<()> {
        may_report(who)?;
        let keys: Vec<&str> = values.iter().map(|v| v.key.as_str()).collect();
        let texts: Vec<&str> = values.iter().map(|v| v.value.as_str()).collect();
        let errors: Vec<&str> = values.iter().map(|v| v.error.as_str()).collect();
        let sql = "WITH changed AS (UPDATE workspace_agent_metadata m \
                 SET value = n.value, error = n.error, collected_at = $2 \
                 FROM unnest($3::text[], $4::text[], $5::text[]) AS n (key, value, error) \
                 WHERE m.workspace_agent_id = $1 AND m.key = n.key RETURNING m.key) \
             SELECT pg_notify($6, '')::text FROM changed HAVING count(*) > 0";
        let channel = metadata_channel(agent);
        let params: [crate::conn::SqlParam<'_>; 6] =
            [&agent, &collected_at, &keys, &texts, &errors, &channel];
        self.query_opt(sql, &params).await?;
        Ok(())
    }

    /// The values of an agent, in their order. The caller has been allowed to read the
    /// workspace.
    pub async fn agent_metadata(&self, agent: Uuid) -> Result<Vec<WorkspaceAgentMetadata>> {
        let sql = "SELECT display_name, key, script, interval_seconds, timeout_seconds, \
                 collected_at, value, error \
             FROM workspace_agent_metadata WHERE workspace_agent_id = $1 \
             ORDER BY display_order, key";
        let now = Utc::now();
        let rows = self.query(sql, &[&agent]).await?;
        rows.iter()
            .map(|row| {
                let collected_at: Option<Time> = row.try_get(5)?;
                Ok(WorkspaceAgentMetadata {
                    description: WorkspaceAgentMetadataDescription {
                        display_name: row.try_get(0)?,
                        key: row.try_get(1)?,
                        script: row.try_get(2)?,
                        interval: row.try_get(3)?,
                        timeout: row.try_get(4)?,
                    },
                    result: WorkspaceAgentMetadataResult {
                        collected_at: collected_at.unwrap_or_else(never),
                        age: collected_at.map_or(0, |at| (now - at).num_seconds().max(0)),
                        value: row.try_get(6)?,
                        error: row.try_get(7)?,
                    },
                })
            })
            .collect()
    }
}
