//! The connection of a run to its workspace: kept between steps, bound anew when the workspace
//! was rebuilt, and honest about agents that nobody here can start.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::tools::changes::{Changes, silence};

use super::{
    AgentFacts, AgentStatus, DIAL_TIMEOUT, DialError, NEVER_CONNECTED, NO_AGENT, NO_WORKSPACE,
    RECOVER, SelectError, dial_with_lazy_validation, external_text,
};

/// How long reaching an agent may take, another look and a switch included.
const DIAL: Duration = Duration::from_secs(30);
/// An agent that is away for so long does not come back by itself.
const RECOVER_AFTER: TimeDelta = TimeDelta::seconds(90);
/// How often a workspace may change while it is dialled.
const ROUNDS: usize = 2;

/// What a chat is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The workspace.
    pub workspace: Uuid,
    /// The agent, if it was found before.
    pub agent: Option<Uuid>,
}

/// What the rest of the house knows of agents. All of it is asked in the owner's name.
pub trait Connector<C>: Send + Sync {
    /// What the chat is bound to now; none without a workspace.
    fn binding(&self) -> BoxFuture<'_, Result<Option<Binding>, String>>;
    /// An agent by its id.
    fn agent(&self, id: Uuid) -> BoxFuture<'_, Result<AgentFacts, String>>;
    /// The agent to work with in the latest build of a workspace.
    fn latest(&self, workspace: Uuid) -> BoxFuture<'_, Result<AgentFacts, SelectError>>;
    /// Whether somebody starts an agent by hand.
    fn is_external(&self, agent: Uuid) -> BoxFuture<'_, Result<bool, String>>;
    /// Binds the chat to an agent; false if it has another workspace by now.
    fn bind<'a>(
        &'a self,
        workspace: Uuid,
        agent: &'a AgentFacts,
    ) -> BoxFuture<'a, Result<bool, String>>;
    /// Reaches an agent.
    fn dial(&self, agent: Uuid) -> BoxFuture<'static, Result<C, String>>;
    /// How far the start scripts of an agent are: its lifecycle, as the API names it.
    fn lifecycle(&self, agent: Uuid) -> BoxFuture<'_, Result<String, String>>;
    /// Word of changes of workspaces from now on.
    fn changes(&self) -> BoxFuture<'_, Changes> {
        Box::pin(std::future::ready(silence()))
    }
    /// The workspace is in use.
    fn used(&self, workspace: Uuid, agent: Uuid) -> BoxFuture<'_, ()>;
    /// The time.
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

struct Cached<C> {
    workspace: Uuid,
    agent: Uuid,
    conn: C,
}

/// The connection of a run.
pub struct Link<C> {
    connector: Arc<dyn Connector<C>>,
    cached: Mutex<Option<Cached<C>>>,
}

impl<C: Clone + Send + Sync + 'static> Link<C> {
    /// None yet.
    pub fn new(connector: Arc<dyn Connector<C>>) -> Self {
        Link {
            connector,
            cached: Mutex::new(None),
        }
    }

    /// What is known of agents.
    pub fn connector(&self) -> &dyn Connector<C> {
        &*self.connector
    }

    /// Lets go of the connection: the workspace was stopped, started or replaced.
    pub async fn forget(&self) {
        *self.cached.lock().await = None;
    }

    /// The connection; made, if need be.
    ///
    /// # Errors
    /// In words for the model.
    pub async fn connect(&self) -> Result<C, String> {
        // Calls that run together wait for one dial.
        let mut cached = self.cached.lock().await;
        for _ in 0..ROUNDS {
            let binding = self.connector.binding().await?;
            let Some(binding) = binding else {
                *cached = None;
                return Err(NO_WORKSPACE.to_owned());
            };
            if let Some(kept) = &*cached
                && kept.workspace == binding.workspace
            {
                let status = self.connector.agent(kept.agent).await.map(|a| a.status);
                if status != Ok(AgentStatus::Disconnected) {
                    self.connector.used(kept.workspace, kept.agent).await;
                    return Ok(kept.conn.clone());
                }
            }
            *cached = None;
            if let Some(made) = self.dial(binding).await? {
                let conn = made.conn.clone();
                self.connector.used(made.workspace, made.agent).await;
                *cached = Some(made);
                return Ok(conn);
            }
        }
        Err("The chat's workspace changed while it was being connected to. Try again.".to_owned())
    }

    /// Dials the agent of a binding; none if the chat has another workspace by now.
    async fn dial(&self, binding: Binding) -> Result<Option<Cached<C>>, String> {
        let workspace = binding.workspace;
        let Some(agent) = self.bound(binding).await? else {
            return Ok(None);
        };
        if matches!(
            agent.status,
            AgentStatus::Disconnected | AgentStatus::Timeout
        ) && self.external(agent.id).await
            && self
                .connector
                .latest(workspace)
                .await
                .is_ok_and(|latest| latest.id == agent.id)
        {
            return Err(external_text(&agent).to_owned());
        }
        let (dialler, looker) = (self.connector.clone(), self.connector.clone());
        let dialled = dial_with_lazy_validation(
            agent.id,
            move |id| dialler.dial(id),
            move || {
                let looker = looker.clone();
                async move { looker.latest(workspace).await }.boxed()
            },
        );
        let (conn, switched) = match tokio::time::timeout(DIAL, dialled).await {
            Ok(Ok(done)) => done,
            Ok(Err(DialError::NoAgent)) => return Err(NO_AGENT.to_owned()),
            Ok(Err(error)) => return Err(self.after_failure(&agent, error).await),
            Err(_) => return Err(self.after_timeout(workspace, &agent).await),
        };
        let agent = match switched {
            Some(new) => {
                if !self.connector.bind(workspace, &new).await? {
                    return Ok(None);
                }
                new.id
            }
            None => agent.id,
        };
        Ok(Some(Cached {
            workspace,
            agent,
            conn,
        }))
    }

    /// The agent that the chat is bound to; bound now, if it was not.
    async fn bound(&self, binding: Binding) -> Result<Option<AgentFacts>, String> {
        if let Some(id) = binding.agent
            && let Ok(agent) = self.connector.agent(id).await
        {
            return Ok(Some(agent));
        }
        let agent = self
            .connector
            .latest(binding.workspace)
            .await
            .map_err(|error| error.to_string())?;
        let bound = self.connector.bind(binding.workspace, &agent).await?;
        Ok(bound.then_some(agent))
    }

    async fn external(&self, agent: Uuid) -> bool {
        // What cannot be found out counts as not.
        self.connector.is_external(agent).await == Ok(true)
    }

    /// The dial failed by itself: an agent that never came in its time says more.
    async fn after_failure(&self, agent: &AgentFacts, error: DialError) -> String {
        let now = self.connector.agent(agent.id).await;
        if now.is_ok_and(|a| a.status == AgentStatus::Timeout) && !self.external(agent.id).await {
            return NEVER_CONNECTED.to_owned();
        }
        error.to_string()
    }

    async fn after_timeout(&self, workspace: Uuid, agent: &AgentFacts) -> String {
        let text = match self.connector.latest(workspace).await {
            Err(SelectError::NoAgent) => return NO_AGENT.to_owned(),
            Err(SelectError::Other(_)) => DIAL_TIMEOUT,
            Ok(latest) => match latest.status {
                AgentStatus::Timeout => NEVER_CONNECTED,
                AgentStatus::Disconnected
                    if latest
                        .disconnected_at
                        .is_some_and(|at| self.connector.now() - at >= RECOVER_AFTER) =>
                {
                    RECOVER
                }
                _ => DIAL_TIMEOUT,
            },
        };
        if self.external(agent.id).await {
            return external_text(agent).to_owned();
        }
        text.to_owned()
    }
}

#[cfg(test)]
#[path = "matrix_tests.rs"]
mod tests;
