//! Health and status of apps.

use rpc::proto::agent::{
    AppHealth, BatchUpdateAppHealthRequest, UpdateAppStatusRequest, update_app_status_request,
};
use store::StoreError;
use store::workspace_agents::NewAppStatus;

use super::convert::{id, text};
use super::{AgentSession, agent_subject, invalid};
use crate::{Control, Result};

/// Longest message of a status, in characters.
const MAX_STATUS_MESSAGE: usize = 160;
/// Longest link of a status, in bytes.
const MAX_STATUS_URI: usize = 4096;
/// Apps in one report; far above any template.
const MAX_UPDATES: usize = 1024;

impl Control {
    /// Notes the health of apps.
    pub async fn agent_app_health_update(
        &self,
        agent: &AgentSession,
        request: &BatchUpdateAppHealthRequest,
    ) -> Result<()> {
        if request.updates.is_empty() {
            return Ok(());
        }
        if request.updates.len() > MAX_UPDATES {
            return Err(invalid(format!("more than {MAX_UPDATES} apps")));
        }
        let mut updates = Vec::with_capacity(request.updates.len());
        for update in &request.updates {
            let health = match update.health() {
                AppHealth::Disabled => "disabled",
                AppHealth::Initializing => "initializing",
                AppHealth::Healthy => "healthy",
                AppHealth::Unhealthy => "unhealthy",
                AppHealth::Unspecified => {
                    return Err(invalid(format!("unknown health status {}", update.health)));
                }
            };
            updates.push((id(&update.id, "the app's id")?, health));
        }
        let conn = self.store().conn().await?;
        match conn
            .agent_app_health_update(&agent_subject(), agent.agent_id, &updates)
            .await
        {
            Err(StoreError::NotFound) => Err(invalid(
                "an app is not one of this agent, or has no health check",
            )),
            other => Ok(other?),
        }
    }

    /// Notes what an app says that it is doing.
    pub async fn agent_app_status_update(
        &self,
        agent: &AgentSession,
        request: &UpdateAppStatusRequest,
    ) -> Result<()> {
        use update_app_status_request::AppStatusState as State;
        if request.message.chars().count() > MAX_STATUS_MESSAGE {
            return Err(invalid(format!(
                "Message is too long: at most {MAX_STATUS_MESSAGE} characters."
            )));
        }
        if request.uri.len() > MAX_STATUS_URI {
            return Err(invalid("The URI is too long."));
        }
        let state = match request.state() {
            State::Working => "working",
            State::Idle => "idle",
            State::Complete => "complete",
            State::Failure => "failure",
        };
        let status = NewAppStatus {
            slug: &request.slug,
            state,
            message: &text(&request.message),
            uri: &text(&request.uri),
        };
        let conn = self.store().conn().await?;
        let noted = conn
            .agent_app_status_insert(&agent_subject(), agent.agent_id, &status)
            .await;
        let before = match noted {
            Err(StoreError::NotFound) => {
                let slug = &request.slug;
                return Err(invalid(format!("No app found with slug {slug:?}")));
            }
            before => before?,
        };
        // Work goes on, or has just ended: its user wants to see what came of it.
        if state == "working" || before.as_deref() == Some("working") {
            self.activity().works(agent.workspace_id);
        }
        Ok(())
    }
}
