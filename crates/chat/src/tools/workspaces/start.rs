//! `start_workspace`: starts the chat's workspace.

use api_types::{ProvisionerJobStatus, Workspace, WorkspaceTransition};
use serde_json::{Value, json};
use uuid::Uuid;

use super::agent::after_build;
use super::build::{is_open, succeeded};
use super::existing::extend;
use super::{RESTLESS, ROUNDS, Workspaces, bound, parameters, parameters_schema};
use crate::tools::agent::Connector;
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// Starts a workspace.
pub(in crate::tools) fn start_workspace() -> Simple {
    Simple::new(
        "start_workspace",
        "Start the chat's workspace if it is stopped, and wait until it can be used. One that runs \
         is left alone. Give values of parameters only where they are needed or the user wants \
         them.",
        json!({ "type": "object", "properties": { "parameters": parameters_schema() } }),
        |context, args| {
            Box::pin(async move {
                let _alone = context.building.lock().await;
                let done = start(&*context.workspaces, context.workspace.connector(), &args).await;
                context.workspace.forget().await;
                done
            })
        },
    )
}

pub(super) async fn start<C: Send + 'static>(
    house: &dyn Workspaces,
    agents: &dyn Connector<C>,
    args: &Args,
) -> Done {
    let values = parameters(args)?;
    for _ in 0..ROUNDS {
        let workspace = bound(house).await?;
        let last = &workspace.latest_build;
        let starts = last.transition == WorkspaceTransition::Start;
        if is_open(last) {
            house.bind(workspace.id, last.id).await?;
            match succeeded(house, last.id).await {
                Ok(_) if starts => return Ok(started(agents, &workspace, Some(last.id)).await),
                Err(broken) if starts => {
                    let what = "the build that was under way failed";
                    return Ok(broken.told(house, "start", what).await);
                }
                Ok(_) | Err(_) => continue,
            }
        }
        if starts && last.job.status == ProvisionerJobStatus::Succeeded {
            return Ok(started(agents, &workspace, None).await);
        }
        let build = match house.start(workspace.id, values).await {
            Ok(build) => build,
            Err(refusal) => {
                let mut value = refusal.value();
                if !refusal.validations.is_empty() {
                    // Where the parameters can be read that are asked for.
                    value["template_id"] = json!(workspace.template_id);
                }
                return Ok(value);
            }
        };
        if let Err(broken) = succeeded(house, build.id).await {
            let what = "starting the workspace failed";
            return Ok(broken.told(house, "start", what).await);
        }
        let mut answer = started(agents, &workspace, Some(build.id)).await;
        if build.template_version_id != last.template_version_id {
            answer["updated_to_active_version"] = Value::from(true);
            answer["update_reason"] = Value::from("template requires active versions");
            answer["message"] = Value::from(
                "The workspace was started, and updated to the template's active version, as the \
                 template demands.",
            );
        }
        return Ok(answer);
    }
    Err(RESTLESS.into())
}

/// A workspace that runs; `build` is that which was waited for.
async fn started<C: Send + 'static>(
    agents: &dyn Connector<C>,
    workspace: &Workspace,
    build: Option<Uuid>,
) -> Value {
    let mut answer = json!({ "started": true, "workspace_name": workspace.name });
    match build {
        Some(build) => answer["build_id"] = json!(build),
        None => answer["no_build"] = Value::from(true),
    }
    extend(&mut answer, after_build(agents, workspace.id).await);
    answer
}
