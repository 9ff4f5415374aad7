//! Ports of workspaces that others may reach.

use authz::{Action, Subject};
use serde::Deserialize;
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::workspaces::WorkspaceRow;
use crate::{Result, Tx};

record! {
    /// A shared port. Known by the agent's name, so that it outlives a build.
    #[derive(Deserialize)]
    pub struct PortShareRow {
        /// The workspace.
        pub workspace_id: Uuid,
        /// Name of the agent whose port it is.
        pub agent_name: String,
        /// The port.
        pub port: i32,
        /// `authenticated`, `organization` or `public`.
        pub share_level: String,
        /// What is spoken there: `http` or `https`.
        pub protocol: String,
    }
}

const COLUMNS: &str = "workspace_id, agent_name, port, share_level, protocol";

impl Conn {
    /// Shared ports of a workspace, in order.
    pub async fn port_share_list(
        &self,
        who: &Subject,
        workspace: &WorkspaceRow,
    ) -> Result<Vec<PortShareRow>> {
        authz::authorize(who, Action::Read, &workspace.object())?;
        let sql = format!(
            "SELECT {COLUMNS} FROM workspace_agent_port_shares WHERE workspace_id = $1 \
             ORDER BY port, agent_name"
        );
        self.fetch(&sql, &[&workspace.api.id]).await
    }
}

impl Tx {
    /// Shares a port, or changes how.
    pub async fn port_share_upsert(
        &self,
        who: &Subject,
        workspace: &WorkspaceRow,
        share: &PortShareRow,
    ) -> Result<()> {
        authz::authorize(who, Action::Update, &workspace.object())?;
        let sql = format!(
            "INSERT INTO workspace_agent_port_shares ({COLUMNS}) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (workspace_id, agent_name, port) DO UPDATE SET \
                 share_level = EXCLUDED.share_level, protocol = EXCLUDED.protocol"
        );
        self.execute(
            &sql,
            &[
                &workspace.api.id,
                &share.agent_name,
                &share.port,
                &share.share_level,
                &share.protocol,
            ],
        )
        .await?;
        Ok(())
    }

    /// Ends the sharing of a port; whether it was shared.
    pub async fn port_share_delete(
        &self,
        who: &Subject,
        workspace: &WorkspaceRow,
        agent_name: &str,
        port: i32,
    ) -> Result<bool> {
        authz::authorize(who, Action::Update, &workspace.object())?;
        let sql = "DELETE FROM workspace_agent_port_shares \
             WHERE workspace_id = $1 AND agent_name = $2 AND port = $3";
        let gone = self
            .execute(sql, &[&workspace.api.id, &agent_name, &port])
            .await?;
        Ok(gone > 0)
    }

    /// Makes the shares of a template's workspaces as narrow as the template wants them from now
    /// on: none for `owner`. What was narrower before stays so.
    pub async fn port_shares_limit(
        &self,
        who: &Subject,
        template: &authz::Object,
        template_id: Uuid,
        max: &str,
    ) -> Result<()> {
        authz::authorize(who, Action::Update, template)?;
        let wider: &[&str] = match max {
            "owner" => &["organization", "authenticated", "public"],
            "organization" => &["authenticated", "public"],
            "authenticated" => &["public"],
            _ => return Ok(()),
        };
        let of = "share_level = ANY($2) AND workspace_id IN \
             (SELECT id FROM workspaces WHERE template_id = $1)";
        if max == "owner" {
            let sql = format!("DELETE FROM workspace_agent_port_shares WHERE {of}");
            self.execute(&sql, &[&template_id, &wider]).await?;
        } else {
            let sql = format!("UPDATE workspace_agent_port_shares SET share_level = $3 WHERE {of}");
            self.execute(&sql, &[&template_id, &wider, &max]).await?;
        }
        Ok(())
    }
}
