//! `/mcp/http` (experimental): the deployment's tools for AI clients, by the Model Context Protocol. Each
//! message is a request of its own; its tools act through the API as whoever sent it, with the same
//! token.

use std::time::Duration;

use anyhow::bail;
use api_types::Secret;
use authz::{Action, Subject};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use client::AgentApi;
use client::agent_api::PORT;
use futures::future::BoxFuture;
use mcp::serve::MAX_MESSAGE;
use mcp::serve::web::{self, Said};
use serde_json::Value;
use toolbox::{Agents, Deps, Tools, Toolset};
use uuid::Uuid;

use crate::auth::{find_token, origin};
use crate::middleware::{RequestInfo, gate};
use crate::within::Within;
use crate::{Actor, ApiError, AppState, QueryParams, read_body};

/// Said to whoever uses the tools.
const INSTRUCTIONS: &str = "Tools for the workspaces, templates and AI agents of a Coder deployment. They act as the user \
     who is signed in.";
/// A call that takes longer than this is answered by a stream, which lives through what stands between
/// us and the client and gives up on connections that are silent…
const QUICK: Duration = Duration::from_secs(5);
/// …so that something is said this often, for as long as the call takes.
const BEAT: Duration = Duration::from_secs(15);
/// A line of a stream that says nothing.
const NOTHING: Bytes = Bytes::from_static(b": at work\n\n");
/// How long a browser may remember which requests it may make.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The route, with all that stands before it. Its tools reach the API through `within`.
pub(crate) fn router(state: AppState, within: Within) -> Router {
    let gated = post(hear).fallback(no_method);
    Router::new()
        .route("/api/experimental/mcp/http", gated)
        .layer(from_fn_with_state(state.clone(), gate))
        .layer(from_fn(cross_origin))
        .layer(Extension(within))
        .with_state(state)
}

/// Clients in browsers come from anywhere: what they may do is for their token to say.
async fn cross_origin(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let asked = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .cloned();
    let mut answer = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = answer.headers_mut();
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    let exposed = HeaderValue::from_static("WWW-Authenticate");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    if preflight {
        let methods = HeaderValue::from_static("GET, POST, DELETE");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
        if let Some(asked) = asked {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
    }
    answer
}

fn needed(state: &AppState) -> Result<(), ApiError> {
    if state.control.settings().mcp_over_http {
        return Ok(());
    }
    let text = "MCP HTTP Server functionality requires enabling the 'mcp-server-http' experiment.";
    Err(ApiError::new(StatusCode::FORBIDDEN, text))
}

/// There are no sessions to listen in or to end.
async fn no_method(State(state): State<AppState>, _: Actor) -> Response {
    if let Err(refused) = needed(&state) {
        return refused.into_response();
    }
    let text =
        "Only POST is served here: there are no sessions, and the server says nothing unasked.";
    let mut answer = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, text).into_response();
    let allowed = HeaderValue::from_static("POST, OPTIONS");
    answer.headers_mut().insert(header::ALLOW, allowed);
    answer
}

async fn hear(
    State(state): State<AppState>,
    actor: Actor,
    Extension(within): Extension<Within>,
    params: QueryParams,
    request: Request,
) -> Result<Response, ApiError> {
    needed(&state)?;
    let set = params.text("toolset");
    let set = Toolset::parse(set)
        .ok_or_else(|| ApiError::bad_request(format!("Invalid toolset: {set}")))?;
    web::check(request.headers())
        .map_err(|refusal| ApiError::new(refusal.status(), format!("{refusal}.")))?;
    let (parts, body) = request.into_parts();
    let deps = deps(&state, &actor, &within, &parts)?;
    let body = read_body(body, MAX_MESSAGE).await?;
    let said = async move {
        let tools = Tools::new(deps, set, &[], INSTRUCTIONS.to_owned());
        web::hear(&tools, &body).await
    };
    let mut said = Box::pin(said);
    Ok(match tokio::time::timeout(QUICK, &mut said).await {
        Ok(Said::Nothing) => StatusCode::ACCEPTED.into_response(),
        Ok(Said::Answer(answer)) => json(StatusCode::OK, &answer),
        Ok(Said::NoMessage(error)) => json(StatusCode::BAD_REQUEST, &error),
        Err(_) => stream(said, BEAT),
    })
}

fn json(status: StatusCode, message: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, web::JSON)];
    (status, kind, message.to_string()).into_response()
}

/// An answer that is still to come, as the only event of a stream.
fn stream(said: impl Future<Output = Said> + Send + Unpin + 'static, beat: Duration) -> Response {
    let beats = futures::stream::unfold(Some(said), move |said| async move {
        let mut said = said?;
        let Ok(said) = tokio::time::timeout(beat, &mut said).await else {
            return Some((NOTHING, Some(said)));
        };
        let (Said::Answer(message) | Said::NoMessage(message)) = said else {
            return None;
        };
        let event = format!("event: message\ndata: {message}\n\n");
        Some((event.into(), None))
    });
    let body = Body::from_stream(futures::StreamExt::map(beats, Ok::<_, std::io::Error>));
    let kind = [
        (header::CONTENT_TYPE, web::EVENTS),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (kind, body).into_response()
}

fn deps(state: &AppState, actor: &Actor, within: &Within, parts: &Parts) -> Result<Deps, ApiError> {
    let client = within_client(state, within, parts);
    let client = client.map_err(|error| {
        tracing::error!(%error, "tools have no way to the API");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The tools have no way to the API.",
        )
    })?;
    let agents = OwnAgents {
        state: state.clone(),
        who: actor.who.clone(),
    };
    Ok(Deps::new(client, Box::new(agents), None))
}

fn within_client(
    state: &AppState,
    within: &Within,
    parts: &Parts,
) -> Result<client::Client, client::Error> {
    let token = find_token(&parts.uri, &parts.headers, state.http.cookies);
    // Without one there is no actor.
    let token = token.map(|(token, _)| token).unwrap_or_default();
    let ip = parts
        .extensions
        .get::<RequestInfo>()
        .and_then(|info| info.ip);
    within.client(Secret::new(token), ip, &origin(parts).user_agent)
}

/// Agents of workspaces that a user may enter, by the server's own end of the tunnel.
struct OwnAgents {
    state: AppState,
    who: Subject,
}

impl Agents for OwnAgents {
    fn api(&self, agent: Uuid) -> BoxFuture<'_, anyhow::Result<AgentApi>> {
        Box::pin(async move {
            if self.state.tailnet.options().browser_only {
                bail!("this deployment lets only browsers into workspaces (--browser-only)");
            }
            let allowed = self
                .state
                .control
                .workspace_agent_check(&self.who, Action::Ssh, agent);
            if allowed.await.is_err() {
                bail!("you may see this workspace, but not enter it");
            }
            let held = self.state.tailnet.acquire(agent);
            Ok(AgentApi::new(move || {
                let held = held.clone();
                async move { held.dial_tcp(PORT).await }
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_stream_says_something_until_it_has_its_answer() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let said = Box::pin(async { Said::Answer(told.await.unwrap_or_default()) });
        let answer = stream(said, Duration::from_millis(1));
        assert_eq!(answer.headers()[header::CONTENT_TYPE], web::EVENTS);
        let mut body = answer.into_body();
        let mut next = async || {
            let frame = body.frame().await?;
            Some(frame.unwrap().into_data().unwrap())
        };
        assert_eq!(next().await.unwrap(), NOTHING);
        tell.send(json!({ "id": 1 })).unwrap();
        let event = loop {
            match next().await.unwrap() {
                beat if beat == NOTHING => {}
                event => break event,
            }
        };
        assert_eq!(&event[..], b"event: message\ndata: {\"id\":1}\n\n");
        assert!(next().await.is_none());
    }
}
