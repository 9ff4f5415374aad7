//! `stop_workspace`: stops the chat's workspace.

use api_types::{ProvisionerJobStatus, WorkspaceTransition};
use serde_json::json;

use super::build::{is_open, succeeded};
use super::{RESTLESS, ROUNDS, Workspaces, bound};
use crate::tools::shape::{Done, Simple};

/// Stops a workspace.
pub(in crate::tools) fn stop_workspace() -> Simple {
    Simple::new(
        "stop_workspace",
        "Stop the chat's workspace and wait until it is stopped. Only when the user asks for it, or \
         when an error of the workspace's agent says to stop and start it. What runs there ends, \
         and what is not saved is lost. The workspace is not deleted.",
        json!({ "type": "object", "properties": {} }),
        |context, _| {
            Box::pin(async move {
                let _alone = context.building.lock().await;
                let done = stop(&*context.workspaces).await;
                context.workspace.forget().await;
                done
            })
        },
    )
}

pub(super) async fn stop(house: &dyn Workspaces) -> Done {
    for _ in 0..ROUNDS {
        let workspace = bound(house).await?;
        let last = &workspace.latest_build;
        if is_open(last) {
            house.bind(workspace.id, last.id).await?;
            if let Err(broken) = succeeded(house, last.id).await
                && house.build(last.id).await.is_ok_and(|now| is_open(&now))
            {
                return Ok(broken.value("another build is under way"));
            }
            continue;
        }
        let stopped = last.transition == WorkspaceTransition::Stop
            && last.job.status == ProvisionerJobStatus::Succeeded;
        if stopped {
            return Ok(json!({
                "stopped": true,
                "workspace_name": workspace.name,
                "no_build": true,
            }));
        }
        let build = match house.stop(workspace.id).await {
            Ok(build) => build,
            Err(refusal) => return Ok(refusal.value()),
        };
        if let Err(broken) = succeeded(house, build.id).await {
            return Ok(broken.value("stopping the workspace failed"));
        }
        return Ok(json!({
            "stopped": true,
            "workspace_name": workspace.name,
            "build_id": build.id,
        }));
    }
    Err(RESTLESS.into())
}
