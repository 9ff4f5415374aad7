//! Workspaces.

use api_types::{
    AutomaticUpdates, CreateWorkspaceRequest, ExternalAgentCredentials, PostWorkspaceUsageRequest,
    PutExtendWorkspaceRequest, UpdateWorkspaceAutomaticUpdatesRequest,
    UpdateWorkspaceAutostartRequest, UpdateWorkspaceDormancy, UpdateWorkspaceRequest,
    UpdateWorkspaceTtlRequest, Workspace, WorkspacesResponse,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::call::segment;
use crate::websocket::JsonSocket;
use crate::{Client, Error};

/// One event of a watch; `data` is a whole workspace in events of type `data`.
#[derive(Debug, Clone, Deserialize)]
struct Event {
    r#type: String,
    #[serde(default)]
    data: serde_json::Value,
}

/// A workspace each time that it changes.
pub struct WorkspaceWatch {
    events: JsonSocket<Event>,
}

impl WorkspaceWatch {
    /// The workspace after the next change; `None` when the server has closed
    /// the watch.
    pub async fn next(&mut self) -> Option<Result<Workspace, Error>> {
        loop {
            match self.events.next().await? {
                Ok(event) if event.r#type == "data" => {
                    // Some versions send an envelope with a message first.
                    if event.data.get("latest_build").is_some() {
                        return Some(self.events.item(event.data));
                    }
                }
                Ok(_) => {}
                Err(e) => return Some(Err(e)),
            }
        }
    }
}

impl Client {
    /// Workspaces that match the search expression `q`; `limit` 0 is all.
    pub async fn workspaces(
        &self,
        q: &str,
        limit: u32,
        offset: u32,
    ) -> Result<WorkspacesResponse, Error> {
        self.get("/api/v2/workspaces")
            .query_if("q", Some(q).filter(|q| !q.is_empty()))
            .query_if("limit", Some(limit).filter(|l| *l > 0))
            .query_if("offset", Some(offset).filter(|o| *o > 0))
            .decode()
            .await
    }

    /// One workspace.
    pub async fn workspace(&self, id: Uuid) -> Result<Workspace, Error> {
        self.get(&format!("/api/v2/workspaces/{id}")).decode().await
    }

    /// One workspace by owner (`me`, id or name) and name.
    pub async fn workspace_by_name(&self, owner: &str, name: &str) -> Result<Workspace, Error> {
        self.get(&format!(
            "/api/v2/users/{}/workspace/{}",
            segment(owner),
            segment(name)
        ))
        .decode()
        .await
    }

    /// Creates a workspace and starts its first build.
    pub async fn workspace_create(
        &self,
        owner: &str,
        body: &CreateWorkspaceRequest,
    ) -> Result<Workspace, Error> {
        self.post(&format!("/api/v2/users/{}/workspaces", segment(owner)))
            .json(body)
            .decode()
            .await
    }

    /// The token and the command that start an agent of the owner's own machine.
    pub async fn external_agent_credentials(
        &self,
        workspace: Uuid,
        agent: &str,
    ) -> Result<ExternalAgentCredentials, Error> {
        self.get(&format!(
            "/api/v2/workspaces/{workspace}/external-agent/{}/credentials",
            segment(agent)
        ))
        .decode()
        .await
    }

    /// Gives a workspace another name.
    pub async fn workspace_rename(&self, id: Uuid, name: &str) -> Result<(), Error> {
        let body = UpdateWorkspaceRequest {
            name: name.to_owned(),
        };
        self.patch(&format!("/api/v2/workspaces/{id}"))
            .json(&body)
            .done()
            .await
    }

    /// Sets (or with `None` removes) the schedule by which the workspace starts.
    pub async fn workspace_autostart(
        &self,
        id: Uuid,
        schedule: Option<String>,
    ) -> Result<(), Error> {
        let body = UpdateWorkspaceAutostartRequest { schedule };
        self.put(&format!("/api/v2/workspaces/{id}/autostart"))
            .json(&body)
            .done()
            .await
    }

    /// Sets (or with `None` removes) the time after which the workspace stops.
    pub async fn workspace_ttl(&self, id: Uuid, ttl_ms: Option<i64>) -> Result<(), Error> {
        let body = UpdateWorkspaceTtlRequest { ttl_ms };
        self.put(&format!("/api/v2/workspaces/{id}/ttl"))
            .json(&body)
            .done()
            .await
    }

    /// Moves the time at which the running workspace stops.
    pub async fn workspace_extend(&self, id: Uuid, deadline: DateTime<Utc>) -> Result<(), Error> {
        let body = PutExtendWorkspaceRequest { deadline };
        self.put(&format!("/api/v2/workspaces/{id}/extend"))
            .json(&body)
            .done()
            .await
    }

    /// Wakes a dormant workspace, or puts one to sleep.
    pub async fn workspace_dormant(&self, id: Uuid, dormant: bool) -> Result<Workspace, Error> {
        self.put(&format!("/api/v2/workspaces/{id}/dormant"))
            .json(&UpdateWorkspaceDormancy { dormant })
            .decode()
            .await
    }

    /// Whether a start uses the template's newest version.
    pub async fn workspace_autoupdates(
        &self,
        id: Uuid,
        automatic_updates: AutomaticUpdates,
    ) -> Result<(), Error> {
        let body = UpdateWorkspaceAutomaticUpdatesRequest { automatic_updates };
        self.put(&format!("/api/v2/workspaces/{id}/autoupdates"))
            .json(&body)
            .done()
            .await
    }

    /// Lists a workspace first.
    pub async fn workspace_favorite(&self, id: Uuid) -> Result<(), Error> {
        self.put(&format!("/api/v2/workspaces/{id}/favorite"))
            .done()
            .await
    }

    /// Lists a workspace among the others again.
    pub async fn workspace_unfavorite(&self, id: Uuid) -> Result<(), Error> {
        self.delete(&format!("/api/v2/workspaces/{id}/favorite"))
            .done()
            .await
    }

    /// Says that somebody uses the workspace now, which moves its deadline.
    pub async fn workspace_usage(
        &self,
        id: Uuid,
        body: Option<&PostWorkspaceUsageRequest>,
    ) -> Result<(), Error> {
        let call = self.post(&format!("/api/v2/workspaces/{id}/usage"));
        match body {
            Some(body) => call.json(body).done().await,
            None => call.done().await,
        }
    }

    /// The workspace at each change.
    pub async fn workspace_watch(&self, id: Uuid) -> Result<WorkspaceWatch, Error> {
        Ok(WorkspaceWatch {
            events: self
                .websocket_json(&format!("/api/v2/workspaces/{id}/watch-ws"))
                .await?,
        })
    }
}
