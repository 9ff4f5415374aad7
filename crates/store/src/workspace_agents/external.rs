//! Agents that somebody starts by hand: what such a start needs.

use api_types::Secret;
use authz::{Action, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::{Result, StoreError};

/// The resource type that marks an agent as started by hand.
pub const EXTERNAL_AGENT: &str = "coder_external_agent";

/// What starts an external agent.
#[derive(Debug, Clone)]
pub struct ExternalAgentRow {
    /// `linux`, `darwin` or `windows`.
    pub operating_system: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// The token that it connects with.
    pub token: Secret<String>,
    /// Whether it proves who it is by its machine instead of the token.
    pub by_instance: bool,
}

impl Conn {
    /// The external agent of this name in a workspace's latest build.
    ///
    /// Whoever has the token can be the workspace, so reading the workspace is not enough: it
    /// takes the right to change it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such an agent or the right to read the workspace,
    /// [`StoreError::Forbidden`] without the right to change it.
    pub async fn external_agent_read(
        &self,
        who: &Subject,
        workspace: Uuid,
        name: &str,
    ) -> Result<ExternalAgentRow> {
        let sql = "SELECT a.id, a.operating_system, a.architecture, a.auth_token, a.auth_instance_id \
             FROM workspace_agents a \
             JOIN workspace_resources r ON r.id = a.resource_id \
             JOIN workspace_builds b ON b.job_id = r.job_id \
             JOIN workspaces w ON w.id = b.workspace_id AND w.latest_build_number = b.build_number \
             WHERE w.id = $1 AND a.name = $2 AND r.type = $3 AND NOT a.deleted AND NOT w.deleted";
        let row = self
            .query_opt(sql, &[&workspace, &name, &EXTERNAL_AGENT])
            .await?
            .ok_or(StoreError::NotFound)?;
        let agent: Uuid = row.try_get(0)?;
        self.workspace_agent_check(who, Action::Update, agent)
            .await?;
        let token: Uuid = row.try_get(3)?;
        let instance: Option<String> = row.try_get(4)?;
        Ok(ExternalAgentRow {
            operating_system: row.try_get(1)?,
            architecture: row.try_get(2)?,
            token: Secret::new(token.to_string()),
            by_instance: instance.is_some_and(|id| !id.is_empty()),
        })
    }
}
