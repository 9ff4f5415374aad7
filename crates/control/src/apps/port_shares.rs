//! Sharing of ports.

use api_types::{
    DeleteWorkspaceAgentPortShareRequest, UpsertWorkspaceAgentPortShareRequest,
    WorkspaceAgentPortShare, WorkspaceAgentPortShares,
};
use authz::{Action, Subject};
use store::port_shares::PortShareRow;
use store::{AuditAction, AuditDiff, AuditEntry};
use uuid::Uuid;

use super::access::Openness;
use crate::{Control, Error, Kind, Result};

/// Ports below are the agent's own services.
const FIRST_PORT: i32 = 9;
/// The last port.
const LAST_PORT: i32 = 65535;
const TRACKED: &[&str] = &["agent_name", "port", "share_level", "protocol"];

impl Control {
    /// Shared ports of a workspace.
    pub async fn port_share_list(
        &self,
        who: &Subject,
        workspace: Uuid,
    ) -> Result<WorkspaceAgentPortShares> {
        let conn = self.store().conn().await?;
        let workspace = conn.workspace_read(who, workspace).await?;
        let shares = conn.port_share_list(who, &workspace).await?;
        Ok(WorkspaceAgentPortShares {
            shares: shares.into_iter().map(shown).collect(),
        })
    }

    /// Shares a port, or changes how.
    pub async fn port_share_upsert(
        &self,
        who: &Subject,
        workspace: Uuid,
        request: UpsertWorkspaceAgentPortShareRequest,
    ) -> Result<WorkspaceAgentPortShare> {
        let level = request.share_level.as_str();
        if !matches!(level, "organization" | "authenticated" | "public") {
            return Err(
                Error::invalid("Port sharing level not allowed.").with_field(
                    "share_level",
                    "must be organization, authenticated or public",
                ),
            );
        }
        check_port(request.port)?;
        if !matches!(request.protocol.as_str(), "http" | "https") {
            return Err(Error::invalid("Port protocol not allowed.")
                .with_field("protocol", "must be http or https"));
        }
        let tx = self.store().begin(who).await?;
        let workspace = tx.workspace_read(who, workspace).await?;
        who.may(Action::Update, &workspace.object())?;
        let max = tx
            .template_max_port_share_level(workspace.api.template_id)
            .await?;
        if Openness::from_name(level) > Openness::from_name(&max) {
            return Err(Error::invalid(format!(
                "The template allows to share ports at most as {max:?}."
            )));
        }
        let resources = &workspace.api.latest_build.resources;
        let mut agents = resources.iter().flat_map(|resource| &resource.agents);
        if !agents.any(|agent| agent.name == request.agent_name) {
            return Err(Error::invalid("Agent not found.").with_field(
                "agent_name",
                "names no agent of the workspace's latest build",
            ));
        }
        let share = PortShareRow {
            workspace_id: workspace.api.id,
            agent_name: request.agent_name,
            port: request.port,
            share_level: level.to_owned(),
            protocol: request.protocol.as_str().to_owned(),
        };
        tx.port_share_upsert(who, &workspace, &share).await?;
        let diff = AuditDiff::between(&(), &share, TRACKED, &[]);
        tx.audit(entry(&workspace.api, diff)).await?;
        tx.commit().await?;
        Ok(shown(share))
    }

    /// Ends the sharing of a port.
    pub async fn port_share_delete(
        &self,
        who: &Subject,
        workspace: Uuid,
        request: DeleteWorkspaceAgentPortShareRequest,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let workspace = tx.workspace_read(who, workspace).await?;
        who.may(Action::Update, &workspace.object())?;
        let shares = tx.port_share_list(who, &workspace).await?;
        let share = shares
            .into_iter()
            .find(|s| s.agent_name == request.agent_name && s.port == request.port)
            .ok_or_else(|| Error::new(Kind::NotFound, "Port share not found."))?;
        tx.port_share_delete(who, &workspace, &share.agent_name, share.port)
            .await?;
        let diff = AuditDiff::between(&share, &(), TRACKED, &[]);
        tx.audit(entry(&workspace.api, diff)).await?;
        Ok(tx.commit().await?)
    }
}

fn check_port(port: i32) -> Result<()> {
    if (FIRST_PORT..=LAST_PORT).contains(&port) {
        return Ok(());
    }
    let text = format!("Port must be between {FIRST_PORT} and {LAST_PORT}.");
    Err(Error::invalid(text.clone()).with_field("port", text))
}

/// A share is a change of its workspace.
fn entry(workspace: &api_types::Workspace, diff: AuditDiff) -> AuditEntry {
    AuditEntry::new(
        AuditAction::Write,
        "workspace",
        workspace.id,
        &workspace.name,
    )
    .org(workspace.organization_id)
    .diff(diff)
}

fn shown(share: PortShareRow) -> WorkspaceAgentPortShare {
    WorkspaceAgentPortShare {
        workspace_id: share.workspace_id,
        agent_name: share.agent_name,
        port: share.port,
        share_level: share.share_level.as_str().into(),
        protocol: share.protocol.as_str().into(),
    }
}
