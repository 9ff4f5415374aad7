//! The web terminal as an app: who may open it, by a session or by a signed token.

use axum::http::request::Parts;
use chrono::Utc;
use control::apps::{AccessMethod, AppRefusal, AppRequest};
use url::Url;
use uuid::Uuid;

use super::stats::Use;
use super::token::{self, Grant};
use crate::{Actor, ApiError, AppState};

/// The parameter that carries a token; browsers send no cookies to another host's socket.
pub(crate) const TOKEN_PARAM: &str = "coder_signed_app_token_23db1dde";

fn request(agent: Uuid, path: &str) -> AppRequest {
    AppRequest {
        access_method: AccessMethod::Terminal,
        base_path: format!("{}/", path.trim_end_matches('/')),
        agent_name_or_id: agent.to_string(),
        ..AppRequest::default()
    }
}

fn path(agent: Uuid) -> String {
    format!("/api/v2/workspaceagents/{agent}/pty")
}

/// Lets a request for a terminal in; what it does is counted while the answer lives.
pub(crate) async fn admit(
    state: &AppState,
    actor: Option<Actor>,
    agent: Uuid,
    token: &str,
    parts: &Parts,
) -> Result<Use, ApiError> {
    let request = request(agent, &path(agent));
    let now = Utc::now();
    if !token.is_empty()
        && let Some(grant) = token::open(state.apps.token_keys(), token, &request, now).await?
    {
        return Ok(state.apps.sessions().begin(&grant, now));
    }
    let grant = grant(state, actor.as_ref(), request).await?;
    let visit = control::apps::AppVisit {
        at: now,
        workspace_id: grant.1.workspace_id,
        agent_name: grant.1.agent_name.clone(),
        kind: "workspace_app",
        ip: crate::auth::origin(parts)
            .ip
            .map(|ip| ip.to_string())
            .unwrap_or_default(),
        user_agent: crate::auth::origin(parts).user_agent,
        user_id: grant.0.viewer_id,
        slug_or_port: "terminal".to_owned(),
        status: 101,
    };
    state.control.app_visit_note(&visit).await?;
    Ok(state.apps.sessions().begin(&grant.0, now))
}

async fn grant(
    state: &AppState,
    actor: Option<&Actor>,
    request: AppRequest,
) -> Result<(Grant, control::apps::AppTarget), ApiError> {
    let who = actor.map(|actor| &actor.who);
    let target = match state.control.app_resolve(who, &request).await {
        Ok(target) => target,
        Err(refusal) => return Err(refused(refusal)),
    };
    let user = actor.map(|actor| actor.session.user.id);
    let grant = Grant::new(request, &target, user, Utc::now());
    Ok((grant, target))
}

fn refused(refusal: AppRefusal) -> ApiError {
    match refusal {
        // Whether there is such an agent is not told.
        AppRefusal::SignIn | AppRefusal::NotFound(_) => control::Error::not_found().into(),
        AppRefusal::Failed(error) => error.into(),
        AppRefusal::Invalid(text) => ApiError::bad_request(text),
        AppRefusal::Stopped(_) => ApiError::bad_request("The workspace is not running.")
            .with_detail("Start it, and open the terminal again."),
        AppRefusal::AgentOffline(status) => ApiError::bad_request(format!(
            "Agent state is {:?}, it must be in the \"connected\" state.",
            status.as_str()
        )),
    }
}

/// A token for the terminal at `url`.
pub(crate) async fn issue(
    state: &AppState,
    actor: &Actor,
    agent: Uuid,
    url: &str,
) -> Result<String, ApiError> {
    let bad = |detail: &str| ApiError::bad_request("Invalid URL.").with_field("url", detail);
    let url = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
    let own = &state.control.settings().access_url;
    let ours = url.host_str() == own.host_str()
        && url.port_or_known_default() == own.port_or_known_default();
    if !ours || !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
        return Err(bad("must be a URL of this deployment"));
    }
    if url.path().trim_end_matches('/') != path(agent) {
        return Err(bad("must be the URL of the agent's terminal"));
    }
    let (grant, _) = grant(state, Some(actor), request(agent, url.path())).await?;
    Ok(state.apps.sign(&grant).await?)
}
