//! Which workspaces and agents a user has: the whole picture, then its differences.

use std::collections::BTreeMap;
use std::time::Duration;

use api_types::{Workspace, WorkspaceStatus};
use authz::Subject;
use control::Control;
use rpc::drpc::{Sender, Status};
use rpc::proto::tailnet::{self as proto, WorkspaceUpdate};
use store::workspaces::WORKSPACE_CHANGED;
use uuid::Uuid;

/// Changes that come within this time are told together: builds write many rows at once.
const SETTLE: Duration = Duration::from_millis(250);
/// Workspaces of one user that are told; far above what a desktop client can show.
const MAX_WORKSPACES: i64 = 1000;

/// What a user has.
#[derive(Default, PartialEq)]
struct Picture {
    workspaces: BTreeMap<Uuid, (String, i32)>,
    agents: BTreeMap<Uuid, (String, Uuid)>,
}

/// Tells a user's workspaces and agents until the stream ends.
pub(super) async fn follow(
    control: &Control,
    who: &Subject,
    mut output: Sender<WorkspaceUpdate>,
) -> Result<(), Status> {
    // Heard of from now on: nothing is missed between reading and waiting.
    let mut changes = control
        .store()
        .listen(WORKSPACE_CHANGED)
        .await
        .map_err(Status::new)?;
    let mut told = look(control, who).await?;
    output.send(&difference(&Picture::default(), &told)).await?;
    loop {
        changes.recv().await;
        tokio::time::sleep(SETTLE).await;
        let now = look(control, who).await?;
        if now != told {
            output.send(&difference(&told, &now)).await?;
            told = now;
        }
    }
}

async fn look(control: &Control, who: &Subject) -> Result<Picture, Status> {
    let list = control
        .workspace_list(who, "owner:me", MAX_WORKSPACES, 0)
        .await
        .map_err(Status::new)?;
    Ok(picture(&list.workspaces))
}

fn picture(workspaces: &[Workspace]) -> Picture {
    let mut picture = Picture::default();
    for workspace in workspaces {
        let status = status(&workspace.latest_build.status).into();
        picture
            .workspaces
            .insert(workspace.id, (workspace.name.clone(), status));
        let resources = workspace.latest_build.resources.iter();
        for agent in resources.flat_map(|resource| &resource.agents) {
            picture
                .agents
                .insert(agent.id, (agent.name.clone(), workspace.id));
        }
    }
    picture
}

fn status(status: &WorkspaceStatus) -> proto::workspace::Status {
    use proto::workspace::Status as To;
    match status {
        WorkspaceStatus::Pending => To::Pending,
        WorkspaceStatus::Starting => To::Starting,
        WorkspaceStatus::Running => To::Running,
        WorkspaceStatus::Stopping => To::Stopping,
        WorkspaceStatus::Stopped => To::Stopped,
        WorkspaceStatus::Failed => To::Failed,
        WorkspaceStatus::Canceling => To::Canceling,
        WorkspaceStatus::Canceled => To::Canceled,
        WorkspaceStatus::Deleting => To::Deleting,
        WorkspaceStatus::Deleted => To::Deleted,
        _ => To::Unknown,
    }
}

fn difference(old: &Picture, new: &Picture) -> WorkspaceUpdate {
    let workspace = |(id, (name, status)): (&Uuid, &(String, i32))| proto::Workspace {
        id: id.as_bytes().to_vec(),
        name: name.clone(),
        status: *status,
    };
    let agent = |(id, (name, workspace)): (&Uuid, &(String, Uuid))| proto::Agent {
        id: id.as_bytes().to_vec(),
        name: name.clone(),
        workspace_id: workspace.as_bytes().to_vec(),
    };
    WorkspaceUpdate {
        upserted_workspaces: beyond(&new.workspaces, |id| old.workspaces.get(id), true)
            .map(workspace)
            .collect(),
        upserted_agents: beyond(&new.agents, |id| old.agents.get(id), true)
            .map(agent)
            .collect(),
        deleted_workspaces: beyond(&old.workspaces, |id| new.workspaces.get(id), false)
            .map(workspace)
            .collect(),
        deleted_agents: beyond(&old.agents, |id| new.agents.get(id), false)
            .map(agent)
            .collect(),
    }
}

/// Entries that the other picture lacks, or with `changed` also those that differ there.
fn beyond<'a, T: PartialEq + 'a>(
    entries: &'a BTreeMap<Uuid, T>,
    other: impl Fn(&Uuid) -> Option<&'a T> + 'a,
    changed: bool,
) -> impl Iterator<Item = (&'a Uuid, &'a T)> + 'a {
    entries.iter().filter(move |(id, entry)| match other(id) {
        None => true,
        Some(there) => changed && there != *entry,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, status: i32) -> Picture {
        let id = Uuid::from_u128(1);
        Picture {
            workspaces: [(id, (name.to_owned(), status))].into(),
            agents: [(Uuid::from_u128(2), ("main".to_owned(), id))].into(),
        }
    }

    #[test]
    fn differences_tell_what_came_changed_and_went() {
        let first = difference(&Picture::default(), &one("dev", 3));
        assert_eq!(first.upserted_workspaces.len(), 1);
        assert_eq!(first.upserted_agents.len(), 1);
        let changed = difference(&one("dev", 3), &one("dev", 5));
        assert_eq!(changed.upserted_workspaces[0].status, 5);
        assert!(changed.upserted_agents.is_empty() && changed.deleted_workspaces.is_empty());
        let gone = difference(&one("dev", 5), &Picture::default());
        assert_eq!(gone.deleted_workspaces.len(), 1);
        assert_eq!(gone.deleted_agents.len(), 1);
        assert!(gone.upserted_workspaces.is_empty());
    }
}
