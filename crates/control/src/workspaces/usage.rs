//! Notes of use, which keep a workspace from stopping under its user.

use api_types::PostWorkspaceUsageRequest;
use authz::{Action, Subject};
use chrono::Utc;
use store::workspace_agents::{AgentReport, NewAgentStats};
use store::workspaces::WorkspaceRow;
use uuid::Uuid;

use crate::{Control, Error, Result};

impl Control {
    /// Notes that a workspace is in use. If the request names the agent and how it is used, it is
    /// as good as what the agent itself reports: the workspace stops later.
    pub async fn workspace_used(
        &self,
        who: &Subject,
        id: Uuid,
        request: &PostWorkspaceUsageRequest,
    ) -> Result<()> {
        let app = request.app_name.as_str();
        let agent = Some(request.agent_id).filter(|agent| !agent.is_nil());
        let row = self.workspace_to_use(who, id).await?;
        let invalid = |field: &str, detail: &str| {
            Err(Error::invalid("Invalid request").with_field(field, detail))
        };
        match agent {
            None if app.is_empty() => {}
            None => return invalid("agent_id", "must be set when app_name is set"),
            Some(_) if app.is_empty() => {
                return invalid("app_name", "must be set when agent_id is set");
            }
            Some(_) if !is_known_app(app) => return invalid("app_name", "unknown app name"),
            Some(agent) => {
                let resources = &row.api.latest_build.resources;
                let mut agents = resources.iter().flat_map(|resource| &resource.agents);
                if !agents.any(|a| a.id == agent) {
                    return invalid("agent_id", "is no agent of this workspace");
                }
            }
        }
        let now = Utc::now();
        self.activity().used(id, now, agent.is_some());
        if let Some(agent_id) = agent.filter(|_| self.settings().usage_by_clients) {
            self.activity().report(AgentReport {
                at: now,
                agent_id,
                workspace_id: id,
                owner_id: row.api.owner_id,
                template_id: row.api.template_id,
                stats: one_session(app),
            });
        }
        Ok(())
    }

    /// Notes that somebody works in a workspace: it stops later.
    pub async fn workspace_active(&self, who: &Subject, id: Uuid) -> Result<()> {
        self.workspace_to_use(who, id).await?;
        self.activity().used(id, Utc::now(), true);
        Ok(())
    }

    async fn workspace_to_use(&self, who: &Subject, id: Uuid) -> Result<WorkspaceRow> {
        let conn = self.store().conn().await?;
        let row = conn.workspace_read(who, id).await?;
        who.may(Action::Update, &row.object())?;
        Ok(row)
    }
}

/// What a client tells by itself: it is there.
fn one_session(app: &str) -> NewAgentStats {
    NewAgentStats {
        connection_count: 1,
        // Agents count by names with an underscore.
        session_counts: [(app.replace('-', "_"), 1)].into(),
        connection_median_latency_ms: -1.0,
        usage: true,
        ..NewAgentStats::default()
    }
}

fn is_known_app(name: &str) -> bool {
    matches!(name, "vscode" | "jetbrains" | "reconnecting-pty" | "ssh")
}
