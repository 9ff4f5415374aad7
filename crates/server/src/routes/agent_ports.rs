//! What listens in a workspace, as its agent sees it.

use std::collections::{BTreeMap, HashSet};

use api_types::{
    WorkspaceAgent, WorkspaceAgentListeningPort, WorkspaceAgentListeningPortsResponse,
    WorkspaceAgentStatus,
};
use authz::Action;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::Method;
use url::Url;
use uuid::Uuid;

use crate::agent_conn::{AgentResponse, ApiCallError};
use crate::extract::Path;
use crate::{Actor, ApiError, AppState, Json};

/// Ports below are the agent's own services.
const FIRST_PORT: u16 = 9;
/// Ports that speak something else than HTTP: shells, mail, names, databases.
const NOT_HTTP: &[u16] = &[
    20, 21, 22, 23, 25, 53, 110, 143, 179, 389, 465, 587, 636, 989, 990, 993, 995, 3306, 3389,
    5432, 27017, 27018, 27019, 28017,
];
/// Ports told at most: a list that a person can still look through.
const MAX_PORTS: usize = 1000;
/// Longest name of a process.
const MAX_NAME: usize = 256;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/workspaceagents/{agent}/listening-ports", get(list))
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
) -> Result<Json<WorkspaceAgentListeningPortsResponse>, ApiError> {
    let agent = connected(&state, &actor, agent, Action::Read).await?;
    let answer = state
        .tailnet
        .acquire(agent.id)
        .api(Method::GET, "/api/v0/listening-ports")
        .await
        .map_err(call_failed)?;
    let listening: WorkspaceAgentListeningPortsResponse = answer_json(&answer)?;
    Ok(Json(WorkspaceAgentListeningPortsResponse {
        ports: of_interest(listening.ports, &app_ports(&agent)),
    }))
}

/// The agent, if `actor` may do `action` to its workspace and it is connected.
pub(super) async fn connected(
    state: &AppState,
    actor: &Actor,
    agent: Uuid,
    action: Action,
) -> Result<WorkspaceAgent, ApiError> {
    state
        .control
        .workspace_agent_check(&actor.who, action, agent)
        .await?;
    let agent = state
        .control
        .workspace_agent_read(&actor.who, agent)
        .await?;
    if agent.status == WorkspaceAgentStatus::Connected {
        return Ok(agent);
    }
    let wanted = WorkspaceAgentStatus::Connected;
    Err(ApiError::bad_request(format!(
        "Agent state is {:?}, it must be in the {:?} state.",
        agent.status.as_str(),
        wanted.as_str()
    )))
}

/// What an agent's failure to answer is to the client.
pub(super) fn call_failed(error: ApiCallError) -> ApiError {
    let status = match error {
        ApiCallError::Timeout => http::StatusCode::GATEWAY_TIMEOUT,
        _ => http::StatusCode::BAD_GATEWAY,
    };
    ApiError::new(status, "The workspace's agent did not answer as it should.")
        .with_detail(error.to_string())
}

/// The body of a good answer; the agent's own words of a bad one.
pub(super) fn answer_json<T: serde::de::DeserializeOwned>(
    answer: &AgentResponse,
) -> Result<T, ApiError> {
    check_answer(answer)?;
    serde_json::from_slice(&answer.body).map_err(|error| {
        ApiError::new(
            http::StatusCode::BAD_GATEWAY,
            "The workspace's agent answered something unexpected.",
        )
        .with_detail(error.to_string())
    })
}

/// Passes on what an agent refuses.
pub(super) fn check_answer(answer: &AgentResponse) -> Result<(), ApiError> {
    if answer.status.is_success() {
        return Ok(());
    }
    let said: api_types::Response = serde_json::from_slice(&answer.body).unwrap_or_default();
    let status = if answer.status.is_client_error() {
        answer.status
    } else {
        http::StatusCode::BAD_GATEWAY
    };
    let message = if said.message.is_empty() {
        format!("The workspace's agent answered {}.", answer.status)
    } else {
        said.message
    };
    Err(ApiError::new(status, message).with_detail(said.detail))
}

/// Ports that apps of the agent have already.
fn app_ports(agent: &WorkspaceAgent) -> HashSet<u16> {
    let urls = agent
        .apps
        .iter()
        .filter_map(|app| Url::parse(&app.url).ok());
    urls.filter_map(|url| url.port()).collect()
}

/// Ports that may speak HTTP and are no apps, each once, in order.
fn of_interest(
    ports: Vec<WorkspaceAgentListeningPort>,
    apps: &HashSet<u16>,
) -> Vec<WorkspaceAgentListeningPort> {
    let mut wanted = BTreeMap::new();
    for mut port in ports {
        let number = port.port;
        if number < FIRST_PORT || NOT_HTTP.contains(&number) || apps.contains(&number) {
            continue;
        }
        if port.process_name.len() > MAX_NAME {
            port.process_name = port.process_name.chars().take(MAX_NAME / 4).collect();
        }
        wanted.entry(number).or_insert(port);
        if wanted.len() > MAX_PORTS {
            wanted.pop_last();
        }
    }
    wanted.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(port: u16) -> WorkspaceAgentListeningPort {
        WorkspaceAgentListeningPort {
            process_name: "x".to_owned(),
            network: "tcp".to_owned(),
            port,
        }
    }

    #[test]
    fn only_ports_that_may_be_pages_are_told() {
        let ports = [1, 4, 8, 9, 22, 5432, 8080, 8080, 3000].map(port).to_vec();
        let told = of_interest(ports, &HashSet::from([3000]));
        let numbers: Vec<u16> = told.iter().map(|p| p.port).collect();
        assert_eq!(numbers, [9, 8080]);
    }

    #[test]
    fn an_agent_that_says_very_much_is_cut_short() {
        let mut many: Vec<_> = (0..1_000_000_u32).map(|n| port(n as u16)).collect();
        many[500_000].process_name = "y".repeat(100_000);
        let told = of_interest(many, &HashSet::new());
        assert_eq!(told.len(), MAX_PORTS);
        assert!(told.iter().all(|p| p.process_name.len() <= MAX_NAME));
    }
}
