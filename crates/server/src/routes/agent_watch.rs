//! `/workspaces/{w}/agent-connection-watch`: what a client that waits for an agent needs to know,
//! as it changes (`workspacesdk.ConnectionWatchEvent`).

use std::collections::VecDeque;

use api_types::{
    ProvisionerJobStatus, Workspace, WorkspaceAgent, WorkspaceAgentLifecycle, WorkspaceTransition,
};
use authz::Subject;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use control::Control;
use futures::Stream;
use serde::Serialize;
use store::workspaces::WORKSPACE_CHANGED;
use uuid::Uuid;

use super::workspace_watch::changed;
use crate::extract::{Path, QueryParams};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new().route("/workspaces/{workspace}/agent-connection-watch", get(watch))
}

async fn watch(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let name = Some(params.text("agent_name").to_owned()).filter(|name| !name.is_empty());
    params.finish()?;
    let events = events(state.control, actor.who, workspace, name).await?;
    Ok(socket?.send(events))
}

#[derive(Debug, PartialEq, Serialize)]
struct Event {
    error: Option<WatchError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_update: Option<BuildUpdate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_update: Option<AgentUpdate>,
}

#[derive(Debug, PartialEq, Serialize)]
struct WatchError {
    code: u8,
    retryable: bool,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct BuildUpdate {
    transition: WorkspaceTransition,
    job_status: ProvisionerJobStatus,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct AgentUpdate {
    lifecycle: WorkspaceAgentLifecycle,
    id: Uuid,
}

/// Codes of errors: more than one agent and none named, none of the name, none at all, and a
/// workspace that cannot be read.
const TOO_MANY: u8 = 1;
const NO_SUCH: u8 = 2;
const NO_AGENTS: u8 = 3;
const DATABASE: u8 = 5;

/// What has been told already.
#[derive(Debug, Default)]
struct Told {
    build: Option<(i32, BuildUpdate)>,
    agent: Option<AgentUpdate>,
}

impl Told {
    /// What is new; an error is the last that is told.
    fn news(&mut self, workspace: &Workspace, name: Option<&str>) -> Vec<Event> {
        let mut news = Vec::new();
        let build = &workspace.latest_build;
        let update = BuildUpdate {
            transition: build.transition.clone(),
            job_status: build.job.status.clone(),
        };
        let now = Some((build.build_number, update.clone()));
        if self.build != now {
            self.build = now;
            self.agent = None;
            news.push(Event {
                error: None,
                build_update: Some(update.clone()),
                agent_update: None,
            });
        }
        let started = update.transition == WorkspaceTransition::Start
            && update.job_status == ProvisionerJobStatus::Succeeded;
        if !started {
            return news;
        }
        // Agents within containers are not what one waits for.
        let agents = build.resources.iter().flat_map(|r| &r.agents);
        let agents: Vec<_> = agents.filter(|a| a.parent_id.is_none()).collect();
        match chosen(&agents, name) {
            Ok(agent) => {
                let update = AgentUpdate {
                    lifecycle: agent.lifecycle_state.clone(),
                    id: agent.id,
                };
                if self.agent.as_ref() != Some(&update) {
                    self.agent = Some(update.clone());
                    news.push(Event {
                        error: None,
                        build_update: None,
                        agent_update: Some(update),
                    });
                }
            }
            Err(error) => news.push(Event {
                error: Some(error),
                build_update: None,
                agent_update: None,
            }),
        }
        news
    }
}

fn chosen<'a>(
    agents: &[&'a WorkspaceAgent],
    name: Option<&str>,
) -> Result<&'a WorkspaceAgent, WatchError> {
    let error = |code, message: &str| WatchError {
        code,
        retryable: false,
        message: message.to_owned(),
    };
    match (agents, name) {
        ([], _) => Err(error(NO_AGENTS, "no agents found for workspace")),
        (_, Some(name)) => agents
            .iter()
            .copied()
            .find(|agent| agent.name == name)
            .ok_or_else(|| error(NO_SUCH, "target agent not found by name")),
        ([only], None) => Ok(only),
        (_, None) => Err(error(
            TOO_MANY,
            "more than one agent on workspace and target not specified",
        )),
    }
}

struct Watch {
    control: Control,
    who: Subject,
    workspace: Uuid,
    name: Option<String>,
    changes: store::Listener,
    told: Told,
    ready: VecDeque<Event>,
    first: bool,
    over: bool,
}

async fn events(
    control: Control,
    who: Subject,
    workspace: Uuid,
    name: Option<String>,
) -> Result<impl Stream<Item = Result<String, ApiError>> + Send, ApiError> {
    // Refused as any request is, before the stream begins.
    control.workspace_read(&who, workspace, true).await?;
    let changes = control.store().listen(WORKSPACE_CHANGED).await?;
    let watch = Watch {
        control,
        who,
        workspace,
        name,
        changes,
        told: Told::default(),
        ready: VecDeque::new(),
        first: true,
        over: false,
    };
    Ok(futures::stream::unfold(watch, |mut watch| async move {
        while watch.ready.is_empty() && !watch.over {
            watch.look().await;
        }
        let event = watch.ready.pop_front()?;
        let text = serde_json::to_string(&event)
            .map_err(|error| ApiError::from(control::Error::internal(error)));
        Some((text, watch))
    }))
}

impl Watch {
    async fn look(&mut self) {
        if !self.first {
            changed(&mut self.changes, self.workspace).await;
        }
        self.first = false;
        let found = self
            .control
            .workspace_read(&self.who, self.workspace, true)
            .await;
        match found {
            Ok(workspace) => {
                let news = self.told.news(&workspace, self.name.as_deref());
                self.over = news.iter().any(|event| event.error.is_some());
                self.ready.extend(news);
            }
            Err(error) => {
                self.over = true;
                self.ready.push_back(Event {
                    error: Some(WatchError {
                        code: DATABASE,
                        retryable: error.kind == control::Kind::Unavailable,
                        message: error.message,
                    }),
                    build_update: None,
                    agent_update: None,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(status: ProvisionerJobStatus, agents: &[&str]) -> Workspace {
        let mut workspace = Workspace::default();
        let build = &mut workspace.latest_build;
        build.build_number = 1;
        build.transition = WorkspaceTransition::Start;
        build.job.status = status;
        build.resources = vec![api_types::WorkspaceResource {
            agents: agents
                .iter()
                .map(|name| WorkspaceAgent {
                    name: (*name).to_owned(),
                    ..WorkspaceAgent::default()
                })
                .collect(),
            ..Default::default()
        }];
        workspace
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut told = Told::default();
        let running = workspace(ProvisionerJobStatus::Running, &[]);
        assert_eq!(told.news(&running, None).len(), 1);
        assert!(told.news(&running, None).is_empty());
        let mut done = workspace(ProvisionerJobStatus::Succeeded, &["main"]);
        let news = told.news(&done, None);
        assert!(news[0].build_update.is_some() && news[1].agent_update.is_some());
        done.latest_build.resources[0].agents[0].lifecycle_state = WorkspaceAgentLifecycle::Ready;
        assert_eq!(told.news(&done, None).len(), 1);
    }

    #[test]
    fn an_agent_must_be_told_apart() {
        let code = |agents: &[&str], name| {
            let done = workspace(ProvisionerJobStatus::Succeeded, agents);
            let news = Told::default().news(&done, name);
            news.last().unwrap().error.as_ref().map(|error| error.code)
        };
        assert_eq!(code(&[], None), Some(NO_AGENTS));
        assert_eq!(code(&["a", "b"], None), Some(TOO_MANY));
        assert_eq!(code(&["a", "b"], Some("c")), Some(NO_SUCH));
        assert_eq!(code(&["a", "b"], Some("b")), None);
    }
}
