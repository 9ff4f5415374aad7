//! From the names in a request to a place at an agent, or to the reason why not.

use api_types::{CorsBehavior, WorkspaceAgentLifecycle, WorkspaceAgentStatus, WorkspaceAppHealth};
use authz::{Action, Subject};
use chrono::Utc;
use store::StoreError;
use store::workspace_apps::AppPlace;
use uuid::Uuid;

use super::access::{Openness, Verdict, decide, has_right};
use super::{AccessMethod, AppRequest, proxy};
use crate::workspaces::agents::complete_agent;
use crate::{Control, Error};

/// Where an app is.
#[derive(Debug, Clone, PartialEq)]
pub struct AppTarget {
    /// The workspace's owner.
    pub owner_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The agent.
    pub agent_id: Uuid,
    /// Its name.
    pub agent_name: String,
    /// URL of the app as the agent sees it; empty for terminals.
    pub app_url: String,
    /// What holds for requests of other origins.
    pub cors_behavior: CorsBehavior,
    /// It is a port and no app.
    pub is_port: bool,
    /// How it is doing.
    pub condition: AppCondition,
}

/// What is known of an app, for when it does not answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AppCondition {
    /// The app's name for people.
    pub name: String,
    /// What the agent's last check of it found.
    pub health: WorkspaceAppHealth,
    /// How far the workspace's start is.
    pub lifecycle: WorkspaceAgentLifecycle,
}

/// Why a workspace does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRunning {
    /// It is being started.
    Starting,
    /// It is being stopped, or deleted.
    Stopping,
    /// It is stopped.
    Stopped,
    /// The last build went wrong, or was cancelled.
    Failed,
}

/// A workspace that would have the app if it ran.
#[derive(Debug, Clone, PartialEq)]
pub struct StoppedWorkspace {
    /// Why it does not run.
    pub state: NotRunning,
    /// The workspace.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its owner's username.
    pub owner_name: String,
    /// The viewer may start it.
    pub may_start: bool,
}

/// Why an app is not to be had.
#[derive(Debug)]
pub enum AppRefusal {
    /// Nobody is signed in, and the app is not for everyone.
    SignIn,
    /// There is no such app, or it is not for this user. With a hint for those who may know.
    NotFound(String),
    /// The workspace does not run.
    Stopped(StoppedWorkspace),
    /// The agent is not connected.
    AgentOffline(WorkspaceAgentStatus),
    /// The request makes no sense.
    Invalid(String),
    /// The question could not be answered.
    Failed(Error),
}

/// What of a place is meant.
struct Meant {
    agent: Uuid,
    app_url: String,
    openness: Openness,
    is_port: bool,
    name: String,
    health: WorkspaceAppHealth,
}

impl Control {
    /// The app that `request` names, if `viewer` may use it now.
    ///
    /// # Errors
    /// [`AppRefusal`] says why not. It tells nothing of workspaces to those who may not know them.
    pub async fn app_resolve(
        &self,
        viewer: Option<&Subject>,
        request: &AppRequest,
    ) -> Result<AppTarget, AppRefusal> {
        let Some(place) = self.app_place(request).await? else {
            return Err(unknown(viewer, String::new()));
        };
        let method = request.access_method;
        let insider = viewer.is_some_and(|viewer| has_right(viewer, &place, method));
        let meant = match meant(&place, request) {
            Ok(meant) => meant,
            // How a workspace is made is for those who may connect to it.
            Err(_) if !insider => return Err(unknown(viewer, String::new())),
            Err(_) if not_running(&place).is_some() => {
                return Err(AppRefusal::Stopped(stopped(&place, viewer)));
            }
            Err(refusal) => return Err(refusal),
        };
        match decide(viewer, &place, method, meant.openness, self.settings()) {
            Verdict::Yes => {}
            Verdict::SignIn => return Err(AppRefusal::SignIn),
            Verdict::No(hint) => return Err(unknown(viewer, hint.to_owned())),
        }
        if not_running(&place).is_some() {
            return Err(if insider {
                AppRefusal::Stopped(stopped(&place, viewer))
            } else {
                unknown(viewer, String::new())
            });
        }
        let mut agent = place
            .agents
            .iter()
            .find(|agent| agent.id == meant.agent)
            .cloned()
            .ok_or_else(|| unknown(viewer, String::new()))?;
        complete_agent(
            &mut agent,
            &place.workspace_name,
            &place.owner_name,
            Utc::now(),
        );
        if agent.status != WorkspaceAgentStatus::Connected {
            return Err(AppRefusal::AgentOffline(agent.status));
        }
        Ok(AppTarget {
            owner_id: place.owner_id,
            workspace_id: place.workspace_id,
            agent_id: agent.id,
            agent_name: agent.name,
            app_url: meant.app_url,
            cors_behavior: place.cors_behavior,
            is_port: meant.is_port,
            condition: AppCondition {
                name: meant.name,
                health: meant.health,
                lifecycle: agent.lifecycle_state,
            },
        })
    }

    async fn app_place(&self, request: &AppRequest) -> Result<Option<AppPlace>, AppRefusal> {
        let who = proxy();
        let conn = self.store().conn().await.map_err(failed)?;
        let found = if request.access_method == AccessMethod::Terminal {
            let agent = request
                .agent_name_or_id
                .parse()
                .map_err(|_| AppRefusal::Invalid("The agent's id is no UUID.".to_owned()))?;
            conn.app_place_by_agent(&who, agent).await
        } else if request.username_or_id == "me" {
            // Whose that is would depend on the viewer, and a token could be used for another's.
            return Ok(None);
        } else {
            conn.app_place_by_name(&who, &request.username_or_id, &request.workspace_name_or_id)
                .await
        };
        match found {
            Ok(place) => Ok(Some(place)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

fn failed(error: StoreError) -> AppRefusal {
    AppRefusal::Failed(error.into())
}

/// Who is not signed in learns nothing, not even that there is nothing.
fn unknown(viewer: Option<&Subject>, hint: String) -> AppRefusal {
    if viewer.is_none() {
        AppRefusal::SignIn
    } else {
        AppRefusal::NotFound(hint)
    }
}

fn stopped(place: &AppPlace, viewer: Option<&Subject>) -> StoppedWorkspace {
    StoppedWorkspace {
        state: not_running(place).unwrap_or(NotRunning::Stopped),
        id: place.workspace_id,
        name: place.workspace_name.clone(),
        owner_name: place.owner_name.clone(),
        may_start: viewer.is_some_and(|viewer| viewer.may(Action::Start, &place.workspace).is_ok()),
    }
}

/// Why a workspace does not run, if it does not.
fn not_running(place: &AppPlace) -> Option<NotRunning> {
    let starts = place.transition == "start";
    match place.job_status.as_str() {
        "succeeded" if starts => None,
        "succeeded" => Some(NotRunning::Stopped),
        "failed" | "canceled" => Some(NotRunning::Failed),
        _ if starts => Some(NotRunning::Starting),
        _ => Some(NotRunning::Stopping),
    }
}

/// What a request means among what the latest build made.
fn meant(place: &AppPlace, request: &AppRequest) -> Result<Meant, AppRefusal> {
    let absent = |text: String| AppRefusal::NotFound(text);
    if request.access_method == AccessMethod::Terminal {
        let agent = request.agent_name_or_id.parse().ok();
        let agent = place.agents.iter().find(|a| Some(a.id) == agent);
        return Ok(Meant {
            agent: agent
                .ok_or_else(|| absent("There is no such agent.".to_owned()))?
                .id,
            app_url: String::new(),
            openness: Openness::Owner,
            is_port: false,
            name: "The terminal".to_owned(),
            health: WorkspaceAppHealth::Disabled,
        });
    }
    if let Some((port, https)) = request.port() {
        return port_meant(place, request, port, https);
    }
    let slug = &request.app_slug_or_port;
    // Slugs are unique within a workspace; the agent's name says nothing more.
    let found = place.apps.iter().find(|app| app.app.slug == *slug);
    let app = found.ok_or_else(|| absent(format!("The workspace has no app {slug:?}.")))?;
    if app.app.url.is_empty() || app.app.external {
        return Err(AppRefusal::Invalid(format!(
            "The app {slug:?} is not served by the workspace."
        )));
    }
    Ok(Meant {
        agent: app.agent_id,
        app_url: app.app.url.clone(),
        openness: Openness::from_name(app.app.sharing_level.as_str()),
        is_port: false,
        name: if app.app.display_name.is_empty() {
            slug.clone()
        } else {
            app.app.display_name.clone()
        },
        health: app.app.health.clone(),
    })
}

fn port_meant(
    place: &AppPlace,
    request: &AppRequest,
    port: u16,
    https: bool,
) -> Result<Meant, AppRefusal> {
    if request.access_method == AccessMethod::Path {
        return Err(AppRefusal::Invalid(
            "Ports are reached at a host of their own, not under a path. Ask an admin for a \
             wildcard access URL."
                .to_owned(),
        ));
    }
    let name = &request.agent_name_or_id;
    let agent = match (name.as_str(), place.agents.as_slice()) {
        ("", [only]) => only,
        ("", _) => {
            return Err(AppRefusal::Invalid(
                "The workspace has several agents: name one.".to_owned(),
            ));
        }
        (name, agents) => agents
            .iter()
            .find(|agent| agent.name == name || agent.id.to_string() == name)
            .ok_or_else(|| AppRefusal::NotFound(format!("There is no agent {name:?}.")))?,
    };
    let share = place
        .shares
        .iter()
        .find(|share| share.agent_name == agent.name && share.port == i32::from(port));
    // The template may have become stricter since the port was shared.
    let openness = share.map_or(Openness::Owner, |share| {
        Openness::from_name(&share.share_level)
            .min(Openness::from_name(&place.max_port_share_level))
    });
    let scheme = if https { "https" } else { "http" };
    Ok(Meant {
        agent: agent.id,
        app_url: format!("{scheme}://127.0.0.1:{port}"),
        openness,
        is_port: true,
        name: format!("Port {port}"),
        health: WorkspaceAppHealth::Disabled,
    })
}
