//! Signed app tokens: what was decided about a request, so that those that follow within a minute
//! need no database.

use api_types::CorsBehavior;
use chrono::{DateTime, TimeDelta, Utc};
use control::apps::{AppRequest, AppTarget};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::jwt::{self, JwtError, Keys};

/// How long a decision holds.
const LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// What the keys are for.
pub(super) const FEATURE: &str = "workspace_apps_token";

/// An app that somebody may use now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// What was asked for; a token is good for nothing else.
    pub(crate) request: AppRequest,
    /// The workspace's owner.
    pub(crate) user_id: Uuid,
    /// The workspace.
    pub(crate) workspace_id: Uuid,
    /// The agent.
    pub(crate) agent_id: Uuid,
    /// URL of the app as the agent sees it; empty for terminals.
    #[serde(default)]
    pub(crate) app_url: String,
    /// What holds for requests of other origins.
    #[serde(default)]
    pub(crate) cors_behavior: CorsBehavior,
    /// Who uses it; none if not signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) viewer_id: Option<Uuid>,
    exp: i64,
}

impl Grant {
    /// A grant from `now` on.
    pub(super) fn new(
        request: AppRequest,
        target: &AppTarget,
        viewer: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            request,
            user_id: target.owner_id,
            workspace_id: target.workspace_id,
            agent_id: target.agent_id,
            app_url: target.app_url.clone(),
            cors_behavior: target.cors_behavior.clone(),
            viewer_id: viewer,
            exp: (now + LIFETIME).timestamp(),
        }
    }

    /// When it ends.
    pub(super) fn expires(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.exp, 0).unwrap_or_default()
    }

    /// Whether it answers `request`.
    pub(super) fn matches(&self, request: &AppRequest) -> bool {
        self.request == *request
    }
}

/// The grant of a token, if it is good and for `request`.
pub(super) async fn open(
    keys: &Keys,
    token: &str,
    request: &AppRequest,
    now: DateTime<Utc>,
) -> Result<Option<Grant>, control::Error> {
    match jwt::open::<Grant>(keys, token, now).await {
        Ok(grant) => Ok(Some(grant).filter(|grant| grant.matches(request))),
        Err(JwtError::Failed(error)) => Err(error),
        Err(JwtError::Invalid(_) | JwtError::Keyless) => Ok(None),
    }
}
