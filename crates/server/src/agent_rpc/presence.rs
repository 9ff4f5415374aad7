//! Whether agents are connected: pings, and what the database is told of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use control::agents::{AgentSession, Presence};
use parking_lot::Mutex;
use rpc::mux::Session;
use uuid::Uuid;

use crate::AppState;

/// Time between signs of life; users take an agent for gone after twice as long.
const INTERVAL: Duration = Duration::from_secs(15);
/// Time until the database is tried again when it fails.
const RETRY: Duration = Duration::from_secs(1);

/// How many connections each agent has to this process. The end of one says nothing while
/// another lives: agents come back before their old connection is found dead.
#[derive(Clone, Default)]
pub struct LiveAgents(Arc<Mutex<HashMap<Uuid, usize>>>);

impl LiveAgents {
    fn add(&self, agent: Uuid) {
        *self.0.lock().entry(agent).or_default() += 1;
    }

    /// Whether that was the last one.
    fn remove(&self, agent: Uuid) -> bool {
        let mut agents = self.0.lock();
        match agents.get_mut(&agent) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => {
                agents.remove(&agent);
                true
            }
        }
    }
}

/// A connection begins that [`watch`] is to watch; [`gone`] notes its end.
pub(super) fn begin(state: &AppState, agent: &AgentSession) {
    state.live_agents.add(agent.agent_id);
}

/// Watches an agent's connection until it has to end; says why.
pub(super) async fn watch(
    state: &AppState,
    agent: &AgentSession,
    session: &Session,
) -> &'static str {
    let mut presence = Presence::Connected;
    loop {
        match note(state, agent, presence).await {
            Ok(true) => {
                presence = Presence::Alive;
                tokio::time::sleep(INTERVAL).await;
            }
            Ok(false) => return "build is outdated",
            Err(error) => {
                // The agent lives even if the database does not.
                tracing::warn!(%error, agent = %agent.agent_id, "agent's presence not noted");
                tokio::time::sleep(RETRY).await;
            }
        }
        if session.ping().await.is_err() {
            return "ping timeout";
        }
    }
}

/// Notes the end of a connection after [`begin`].
pub(super) async fn gone(state: &AppState, agent: &AgentSession) {
    if !state.live_agents.remove(agent.agent_id) {
        return;
    }
    if let Err(error) = note(state, agent, Presence::Gone).await {
        tracing::warn!(%error, agent = %agent.agent_id, "agent's leaving not noted");
    }
}

async fn note(state: &AppState, agent: &AgentSession, presence: Presence) -> control::Result<bool> {
    let replica = state.tailnet.replica();
    let pulse = state
        .control
        .agent_presence(agent.agent_id, replica, presence, Utc::now())
        .await?;
    Ok(pulse.is_current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_connection_counts() {
        let live = LiveAgents::default();
        let agent = Uuid::from_u128(1);
        live.add(agent);
        live.add(agent);
        assert!(!live.remove(agent));
        assert!(live.remove(agent));
        assert!(live.remove(agent));
    }
}
