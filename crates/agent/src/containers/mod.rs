//! Containers beside the agent, as far as an engine (Docker or Podman) is present.

mod discovery;
mod engine;
mod inside;
mod inspect;

use std::sync::Arc;
use std::time::{Duration, Instant};

use api_types::{
    WorkspaceAgentContainer, WorkspaceAgentDevcontainer, WorkspaceAgentDevcontainerStatus,
    WorkspaceAgentListContainersResponse,
};
use tokio::sync::Mutex;

pub use engine::{Engine, EngineError};
pub use inside::{InsideError, command_line};

use crate::account::Account;
use crate::manifest::Devcontainer;
use crate::workspace::Workspace;

/// A list is good for this long: making one starts two processes.
const FRESH: Duration = Duration::from_secs(5);
/// Projects are looked for again after so long: people clone them while they work.
const PROJECTS_FRESH: Duration = Duration::from_mins(1);
/// Label of a dev container: the folder that it was made for.
const FOLDER: &str = "devcontainer.local_folder";
/// Label of a dev container: its configuration file.
const CONFIG: &str = "devcontainer.config_file";

/// What is known of containers.
#[derive(Debug)]
pub struct Containers {
    workspace: Arc<Workspace>,
    latest: Mutex<Option<(Instant, WorkspaceAgentListContainersResponse)>>,
    /// Dev containers of projects that nobody declared.
    projects: Mutex<Option<(Instant, Vec<Devcontainer>)>>,
}

impl Containers {
    /// Nothing is known yet.
    pub fn new(workspace: Arc<Workspace>) -> Self {
        Self {
            workspace,
            latest: Mutex::default(),
            projects: Mutex::default(),
        }
    }

    /// Every container, and the dev containers of the manifest and of projects.
    pub async fn list(&self) -> Result<WorkspaceAgentListContainersResponse, EngineError> {
        // Held while the engine is asked: whoever else comes takes the same answer.
        let mut latest = self.latest.lock().await;
        if let Some((at, list)) = latest.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(list.clone());
        }
        let (containers, warnings) = Engine::find()?.list().await?;
        let list = WorkspaceAgentListContainersResponse {
            devcontainers: self.devcontainers(&containers).await,
            containers,
            warnings,
        };
        *latest = Some((Instant::now(), list.clone()));
        Ok(list)
    }

    /// Those of the manifest, and those of projects in other folders.
    pub async fn known(&self) -> Vec<Devcontainer> {
        let manifest = self.workspace.manifest();
        let mut known = manifest
            .as_ref()
            .map_or_else(Vec::new, |manifest| manifest.devcontainers.clone());
        if !self.workspace.config.discover_devcontainers {
            return known;
        }
        let directory = manifest
            .and_then(|manifest| manifest.directory.clone())
            .unwrap_or_else(|| Account::current().home);
        let mut projects = self.projects.lock().await;
        let found = match projects.take() {
            Some((at, found)) if at.elapsed() < PROJECTS_FRESH => (at, found),
            _ => (Instant::now(), discovery::discover(&directory).await),
        };
        let (_, found) = projects.insert(found);
        let new = |project: &&Devcontainer| {
            let folder = &project.workspace_folder;
            !known
                .iter()
                .any(|declared| declared.workspace_folder == *folder)
        };
        let new: Vec<Devcontainer> = found.iter().filter(new).cloned().collect();
        known.extend(new);
        known
    }

    async fn devcontainers(
        &self,
        containers: &[WorkspaceAgentContainer],
    ) -> Vec<WorkspaceAgentDevcontainer> {
        let one = |known: &Devcontainer| {
            let made_for = |container: &&WorkspaceAgentContainer| {
                container.labels.get(FOLDER) == Some(&known.workspace_folder)
                    && (known.config_path.is_empty()
                        || container.labels.get(CONFIG) == Some(&known.config_path))
            };
            let container = containers.iter().find(made_for).cloned();
            let running = container
                .as_ref()
                .is_some_and(|container| container.running);
            WorkspaceAgentDevcontainer {
                id: known.id,
                name: known.name.clone(),
                workspace_folder: known.workspace_folder.clone(),
                config_path: known.config_path.clone(),
                subagent_id: known.subagent_id,
                status: if running {
                    WorkspaceAgentDevcontainerStatus::Running
                } else {
                    WorkspaceAgentDevcontainerStatus::Stopped
                },
                container,
                ..Default::default()
            }
        };
        self.known().await.iter().map(one).collect()
    }
}
