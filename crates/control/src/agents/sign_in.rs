//! Who an agent's token stands for.

use api_types::Secret;
use store::StoreError;
use uuid::Uuid;

use super::{AgentSession, agent_subject};
use crate::{Control, Error, Kind, Result};

impl Control {
    /// The agent that signs in with `token`.
    ///
    /// # Errors
    /// 401 for what is no token, an unknown token, an agent of an old build and one whose
    /// owner is suspended.
    pub async fn agent_sign_in(&self, token: &str) -> Result<AgentSession> {
        let Ok(token) = token.parse::<Uuid>() else {
            return Err(
                Error::new(Kind::Unauthorized, "Workspace agent token invalid.")
                    .with_detail("An agent token must be a UUID."),
            );
        };
        let conn = self.store().conn().await?;
        let session = match conn.agent_session_read(&agent_subject(), token).await {
            Err(StoreError::NotFound) => {
                return Err(
                    Error::new(Kind::Unauthorized, "Workspace agent not authorized.").with_detail(
                        "The agent cannot authenticate until the workspace provision job has been \
                     completed. If the job is no longer running, this agent is invalid.",
                    ),
                );
            }
            other => other?,
        };
        if session.owner_status == "suspended" {
            return Err(Error::new(
                Kind::Unauthorized,
                "The workspace's owner is suspended, so its agents may not act.",
            ));
        }
        Ok(session)
    }

    /// The key with which an agent's owner signs in to git servers: public and private.
    pub async fn agent_git_ssh_key(
        &self,
        agent: &AgentSession,
    ) -> Result<(String, Secret<String>)> {
        let conn = self.store().conn().await?;
        conn.agent_git_ssh_key(&agent_subject(), agent.owner_id)
            .await?
            .ok_or_else(Error::not_found)
    }
}
