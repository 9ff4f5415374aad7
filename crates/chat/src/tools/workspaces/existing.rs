//! The workspace that a chat has already, when it is to make one.

use api_types::{Workspace, WorkspaceTransition};
use serde_json::{Value, json};

use super::agent::{after_build, ready, unselected};
use super::build::{is_open, succeeded};
use super::{RESTLESS, ROUNDS, Workspaces};
use crate::tools::agent::{AgentStatus, Connector, SelectError};
use crate::tools::shape::Failed;

/// What there is.
#[derive(Debug)]
pub(super) enum Existing {
    /// Nothing.
    Nothing,
    /// A workspace that the chat goes on with; or a build of it that failed. The answer.
    Answer(Value),
    /// A workspace of this name that is of no use now, and why.
    Useless(String, &'static str),
}

/// Looks at the workspace of a chat, waiting for what happens to it.
pub(super) async fn existing<C: Send + 'static>(
    house: &dyn Workspaces,
    agents: &dyn Connector<C>,
) -> Result<Existing, Failed> {
    for _ in 0..ROUNDS {
        let Some(bound) = house.workspace().await? else {
            return Ok(Existing::Nothing);
        };
        if bound.deleted {
            return Ok(Existing::Nothing);
        }
        let workspace = bound.workspace;
        let build = &workspace.latest_build;
        let starts = build.transition == WorkspaceTransition::Start;
        if is_open(build) {
            house.bind(workspace.id, build.id).await?;
            match succeeded(house, build.id).await {
                Ok(_) if starts => {
                    let mut answer =
                        there(&workspace, "The workspace was being built and is ready.");
                    answer["build_id"] = json!(build.id);
                    extend(&mut answer, after_build(agents, workspace.id).await);
                    return Ok(Existing::Answer(answer));
                }
                Err(broken) if starts => {
                    let what = "the build of the chat's workspace failed";
                    return Ok(Existing::Answer(broken.told(house, "start", what).await));
                }
                // It was stopped or deleted: what it is now decides.
                Ok(_) | Err(_) => continue,
            }
        }
        let name = workspace.name.clone();
        if build.job.status != api_types::ProvisionerJobStatus::Succeeded {
            return Ok(Existing::Useless(name, "its last build failed"));
        }
        return match build.transition {
            WorkspaceTransition::Start => running(agents, &workspace).await,
            WorkspaceTransition::Stop => {
                let mut answer = there(
                    &workspace,
                    "The workspace is stopped. Start it with start_workspace.",
                );
                answer["status"] = Value::from("stopped");
                Ok(Existing::Answer(answer))
            }
            _ => Ok(Existing::Nothing),
        };
    }
    Err(RESTLESS.into())
}

async fn running<C: Send + 'static>(
    agents: &dyn Connector<C>,
    workspace: &Workspace,
) -> Result<Existing, Failed> {
    let agent = match agents.latest(workspace.id).await {
        Ok(agent) => agent,
        Err(SelectError::NoAgent) => {
            return Ok(Existing::Useless(workspace.name.clone(), "it has no agent"));
        }
        Err(error) => {
            let mut answer = there(workspace, "The workspace is running.");
            extend(&mut answer, unselected(&error));
            return Ok(Existing::Answer(answer));
        }
    };
    let (text, reach) = match agent.status {
        AgentStatus::Connected => ("The workspace is running and connected.", false),
        AgentStatus::Connecting => ("The workspace is running; its agent was connecting.", true),
        AgentStatus::Disconnected => {
            return Ok(Existing::Useless(
                workspace.name.clone(),
                "its agent is offline",
            ));
        }
        AgentStatus::Timeout => {
            return Ok(Existing::Useless(
                workspace.name.clone(),
                "its agent never connected",
            ));
        }
    };
    let mut answer = there(workspace, text);
    extend(
        &mut answer,
        ready(agents, workspace.id, &agent, reach).await,
    );
    Ok(Existing::Answer(answer))
}

fn there(workspace: &Workspace, text: &str) -> Value {
    json!({
        "created": false,
        "workspace_name": workspace.name,
        "status": "already_exists",
        "message": text,
    })
}

/// Adds fields to an answer.
pub(super) fn extend(answer: &mut Value, fields: serde_json::Map<String, Value>) {
    if let Some(answer) = answer.as_object_mut() {
        answer.extend(fields);
    }
}
