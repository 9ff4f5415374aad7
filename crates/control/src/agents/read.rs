//! Agents as users see them.

use api_types::{WorkspaceAgent, WorkspaceAgentLog, WorkspaceAgentMetadata};
use authz::{Action, Subject};
use chrono::Utc;
use store::workspace_agents::AgentLogRange;
use uuid::Uuid;

use crate::workspaces::agents::complete_agent;
use crate::{Control, Result};

/// Lines of an agent.
pub type AgentLogs = Vec<WorkspaceAgentLog>;

impl Control {
    /// An agent.
    pub async fn workspace_agent_read(&self, who: &Subject, agent: Uuid) -> Result<WorkspaceAgent> {
        let row = {
            let conn = self.store().conn().await?;
            conn.workspace_agent_read(who, agent).await?
        };
        let mut api = row.api;
        complete_agent(&mut api, &row.workspace_name, &row.owner_name, Utc::now());
        Ok(api)
    }

    /// Checks that `who` may do `action` to an agent's workspace; the workspace's id.
    pub async fn workspace_agent_check(
        &self,
        who: &Subject,
        action: Action,
        agent: Uuid,
    ) -> Result<Uuid> {
        let conn = self.store().conn().await?;
        Ok(conn.workspace_agent_check(who, action, agent).await?)
    }

    /// Lines of an agent, oldest first; a part of them if there are very many.
    pub async fn workspace_agent_logs(
        &self,
        who: &Subject,
        agent: Uuid,
        range: AgentLogRange,
    ) -> Result<AgentLogs> {
        let conn = self.store().conn().await?;
        conn.workspace_agent_check(who, Action::Read, agent).await?;
        Ok(conn.agent_logs(agent, range).await?)
    }

    /// The values of an agent.
    pub async fn workspace_agent_metadata(
        &self,
        who: &Subject,
        agent: Uuid,
    ) -> Result<Vec<WorkspaceAgentMetadata>> {
        let conn = self.store().conn().await?;
        conn.workspace_agent_check(who, Action::Read, agent).await?;
        Ok(conn.agent_metadata(agent).await?)
    }
}
