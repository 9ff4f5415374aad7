//! The agent behind a request, for handlers.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use control::agents::AgentSession;

use super::token;
use crate::{ApiError, AppState};

/// The authenticated agent of a request. A handler that takes it is closed to everyone else:
/// 401.
#[derive(Clone)]
pub struct AgentActor(pub AgentSession);

impl FromRequestParts<AppState> for AgentActor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Some((token, _)) = token::find(&parts.uri, &parts.headers, state.http.cookies) else {
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "Cookie \"coder_session_token\" must be provided.",
            )
            .with_detail("Send the agent's token in the Coder-Session-Token header."));
        };
        Ok(AgentActor(state.control.agent_sign_in(&token).await?))
    }
}
