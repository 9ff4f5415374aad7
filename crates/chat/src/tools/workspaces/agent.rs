//! Waiting until the agent of a workspace that was started can be worked with.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use uuid::Uuid;

use crate::tools::agent::{AgentFacts, Connector, SelectError, external_text};
use crate::tools::changes;

/// The longest that an agent is waited for.
const CONNECT: Duration = Duration::from_mins(2);
/// Attempts to reach it begin so far from each other…
const EVERY: Duration = Duration::from_secs(2);
/// …and take so long at most.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The longest that start scripts are waited for.
const SCRIPTS: Duration = Duration::from_mins(10);

/// What is added to an answer once a workspace was built: nothing if its agent is ready.
pub(super) async fn after_build<C: Send + 'static>(
    agents: &dyn Connector<C>,
    workspace: Uuid,
) -> Map<String, Value> {
    match agents.latest(workspace).await {
        Ok(agent) => ready(agents, workspace, &agent, true).await,
        Err(error) => unselected(&error),
    }
}

/// What is said where no agent can be chosen.
pub(super) fn unselected(error: &SelectError) -> Map<String, Value> {
    let mut said = Map::new();
    match error {
        SelectError::NoAgent => {
            said.insert("agent_status".into(), "no_agent".into());
        }
        SelectError::Other(why) => {
            said.insert("agent_status".into(), "selection_error".into());
            said.insert("agent_error".into(), why.as_str().into());
        }
    }
    said
}

/// Waits until an agent can be reached, unless it is known to be, and its start scripts have run.
pub(super) async fn ready<C: Send + 'static>(
    agents: &dyn Connector<C>,
    workspace: Uuid,
    agent: &AgentFacts,
    reach: bool,
) -> Map<String, Value> {
    let mut said = Map::new();
    if reach && let Err(why) = reached(agents, agent).await {
        let why = match agents.is_external(agent.id).await {
            Ok(true) => external_text(agent).to_owned(),
            // What cannot be found out counts as not.
            _ => why,
        };
        said.insert("agent_status".into(), "not_ready".into());
        said.insert("agent_error".into(), why.into());
        return said;
    }
    match timeout(SCRIPTS, scripts(agents, workspace, agent.id)).await {
        Ok(state) if state == "ready" => {}
        Ok(state) => {
            said.insert("startup_scripts".into(), "startup_scripts_failed".into());
            said.insert("lifecycle_state".into(), state.into());
        }
        Err(_) => {
            said.insert("startup_scripts".into(), "startup_scripts_timeout".into());
        }
    }
    said
}

async fn reached<C: Send + 'static>(
    agents: &dyn Connector<C>,
    agent: &AgentFacts,
) -> Result<(), String> {
    let end = Instant::now() + CONNECT;
    loop {
        let began = Instant::now();
        let attempt = timeout_at(end.min(began + ATTEMPT), agents.dial(agent.id));
        let why = match attempt.await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => "The agent did not answer in time.".to_owned(),
        };
        if began + EVERY >= end || Instant::now() >= end {
            sleep_until(end).await;
            return Err(why);
        }
        sleep_until(began + EVERY).await;
    }
}

/// The lifecycle of an agent once its start scripts have ended, however they did.
async fn scripts<C: Send + 'static>(
    agents: &dyn Connector<C>,
    workspace: Uuid,
    agent: Uuid,
) -> String {
    // Listening begins before looking: nothing falls between.
    let mut changes = agents.changes().await;
    loop {
        match agents.lifecycle(agent).await.as_deref() {
            Ok("created" | "starting") | Err(_) => {}
            Ok(state) => return state.to_owned(),
        }
        changes::wait(&mut changes, workspace).await;
    }
}
