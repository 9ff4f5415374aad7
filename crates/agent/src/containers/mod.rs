//! Containers beside the agent, as far as an engine (Docker or Podman) is present.

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

use crate::workspace::Workspace;

/// A list is good for this long: making one starts two processes.
const FRESH: Duration = Duration::from_secs(5);
/// Label of a dev container: the folder that it was made for.
const FOLDER: &str = "devcontainer.local_folder";
/// Label of a dev container: its configuration file.
const CONFIG: &str = "devcontainer.config_file";

/// What is known of containers.
#[derive(Debug)]
pub struct Containers {
    workspace: Arc<Workspace>,
    latest: Mutex<Option<(Instant, WorkspaceAgentListContainersResponse)>>,
}

impl Containers {
    /// Nothing is known yet.
    pub fn new(workspace: Arc<Workspace>) -> Self {
        Self {
            workspace,
            latest: Mutex::default(),
        }
    }

    /// Every container, and the dev containers of the manifest.
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
            devcontainers: self.devcontainers(&containers),
            containers,
            warnings,
        };
        *latest = Some((Instant::now(), list.clone()));
        Ok(list)
    }

    fn devcontainers(
        &self,
        containers: &[WorkspaceAgentContainer],
    ) -> Vec<WorkspaceAgentDevcontainer> {
        let manifest = self.workspace.manifest();
        let known = manifest
            .as_ref()
            .map_or(&[][..], |manifest| &manifest.devcontainers);
        let one = |known: &crate::manifest::Devcontainer| {
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
        known.iter().map(one).collect()
    }
}
