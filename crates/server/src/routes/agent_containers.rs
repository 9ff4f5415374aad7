//! Containers that an agent finds beside itself, and the development containers among them.

use std::collections::HashMap;

use api_types::WorkspaceAgentListContainersResponse;
use authz::Action;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use http::Method;
use uuid::Uuid;

use super::agent_ports::{answer_json, call_failed, check_answer, connected};
use crate::agent_conn::AgentConn;
use crate::extract::Path;
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState, Json};

/// Labels that one request may ask for.
const MAX_LABELS: usize = 32;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    let base = "/workspaceagents/{agent}/containers";
    Router::new()
        .route(base, get(list))
        .route(&format!("{base}/watch"), get(watch))
        .route(
            &format!("{base}/devcontainers/{{devcontainer}}"),
            delete(remove),
        )
        .route(
            &format!("{base}/devcontainers/{{devcontainer}}/recreate"),
            post(recreate),
        )
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
    uri: Uri,
) -> Result<Json<WorkspaceAgentListContainersResponse>, ApiError> {
    let labels = labels(&uri)?;
    let agent = connected(&state, &actor, agent, Action::Read).await?;
    let answer = state
        .tailnet
        .acquire(agent.id)
        .api(Method::GET, "/api/v0/containers")
        .await
        .map_err(call_failed)?;
    let mut found: WorkspaceAgentListContainersResponse = answer_json(&answer)?;
    found.containers.retain(|container| {
        labels
            .iter()
            .all(|(key, value)| container.labels.get(key) == Some(value))
    });
    Ok(Json(found))
}

/// `label=key=value`, any number of times; the name alone asks for nothing but its presence.
fn labels(uri: &Uri) -> Result<HashMap<String, String>, ApiError> {
    let wrong = |detail: &str| {
        ApiError::bad_request("Query parameters have invalid values.").with_field("label", detail)
    };
    let query = uri.query().unwrap_or_default();
    let mut labels = HashMap::new();
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "label" {
            continue;
        }
        let (key, value) = text
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| wrong("must be of the form key=value"))?;
        labels.insert(key.to_owned(), value.to_owned());
        if labels.len() > MAX_LABELS {
            return Err(wrong("too many labels"));
        }
    }
    Ok(labels)
}

async fn watch(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let agent = connected(&state, &actor, agent, Action::Read).await?;
    let socket = socket?;
    let messages = state
        .tailnet
        .acquire(agent.id)
        .api_watch("/api/v0/containers/watch")
        .await
        .map_err(call_failed)?;
    Ok(socket.send(messages))
}

async fn recreate(
    State(state): State<AppState>,
    actor: Actor,
    Path((agent, devcontainer)): Path<(Uuid, String)>,
) -> Result<Response, ApiError> {
    let path = format!("/{}/recreate", segment(&devcontainer)?);
    let conn = manage(&state, &actor, agent).await?;
    let answer = change(&conn, Method::POST, &path).await?;
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

async fn remove(
    State(state): State<AppState>,
    actor: Actor,
    Path((agent, devcontainer)): Path<(Uuid, String)>,
) -> Result<StatusCode, ApiError> {
    let path = format!("/{}", segment(&devcontainer)?);
    let conn = manage(&state, &actor, agent).await?;
    change(&conn, Method::DELETE, &path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An id as part of the path at the agent.
fn segment(id: &str) -> Result<&str, ApiError> {
    let plain = id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if plain && !id.is_empty() && !id.starts_with('.') {
        return Ok(id);
    }
    Err(ApiError::bad_request("Invalid devcontainer id."))
}

async fn manage(state: &AppState, actor: &Actor, agent: Uuid) -> Result<AgentConn, ApiError> {
    let agent = connected(state, actor, agent, Action::Update).await?;
    Ok(state.tailnet.acquire(agent.id))
}

async fn change(
    conn: &AgentConn,
    method: Method,
    path: &str,
) -> Result<api_types::Response, ApiError> {
    let path = format!("/api/v0/containers/devcontainers{path}");
    let answer = conn.api(method, &path).await.map_err(call_failed)?;
    check_answer(&answer)?;
    // The words are for people; without any, there is nothing to say.
    Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_pairs() {
        let of = |text: &str| labels(&text.parse().unwrap());
        assert_eq!(of("/x?label=a=b&label=c=").unwrap().len(), 2);
        assert!(of("/x?label=a").is_err());
        assert!(of("/x?label==b").is_err());
        assert!(of("/x").unwrap().is_empty());
    }

    #[test]
    fn an_id_cannot_lead_elsewhere_at_the_agent() {
        assert!(segment("0b6f9c7e-1").is_ok());
        for bad in ["", "..", "a/b", "a?b", "a b", ".x"] {
            assert!(segment(bad).is_err(), "{bad}");
        }
    }
}
