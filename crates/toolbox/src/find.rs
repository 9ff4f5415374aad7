//! Finding the workspace and the agent that a model names.

use anyhow::{Result, bail};
use api_types::{Workspace, WorkspaceAgent};
use client::{Client, Target};
use uuid::Uuid;

/// The workspace that a text names; the name of an agent behind it does no harm.
pub(crate) async fn workspace(client: &Client, name: &str) -> Result<Workspace> {
    Ok(target(client, name).await?.0)
}

/// The same, with the name of the agent if the text has one.
pub(crate) async fn target(client: &Client, name: &str) -> Result<(Workspace, Option<String>)> {
    let (found, agent) = match name.parse::<Uuid>() {
        Ok(id) => (client.workspace(id).await, None),
        Err(_) => {
            let target = Target::agent(name)?;
            let found = client.workspace_by_name(&target.owner, &target.workspace);
            (found.await, target.agent)
        }
    };
    match found {
        Err(error) if error.is_not_found() => bail!(
            "there is no workspace {name:?}, or you may not see it; coder_list_workspaces tells which there are"
        ),
        found => Ok((found?, agent)),
    }
}

/// Every agent of the workspace's latest build.
pub(crate) fn agents(workspace: &Workspace) -> impl Iterator<Item = &WorkspaceAgent> {
    let resources = workspace.latest_build.resources.iter();
    resources.flat_map(|resource| &resource.agents)
}

/// The agent of this name; without a name the only one that is not inside another.
pub(crate) fn agent<'a>(
    workspace: &'a Workspace,
    name: Option<&str>,
) -> Result<&'a WorkspaceAgent> {
    let wanted: Vec<&WorkspaceAgent> = agents(workspace)
        .filter(|agent| match name {
            Some(name) => agent.name == name,
            None => agent.parent_id.is_none(),
        })
        .collect();
    if let [only] = wanted[..] {
        return Ok(only);
    }
    let names: Vec<&str> = agents(workspace).map(|agent| agent.name.as_str()).collect();
    let names = names.join(", ");
    match (name, names.as_str()) {
        (_, "") => bail!("workspace {:?} has no agents", workspace.name),
        (Some(name), _) => bail!(
            "workspace {:?} has no agent {name:?}; its agents: {names}",
            workspace.name
        ),
        (None, _) => bail!(
            "workspace {0:?} has several agents; name one as {0}.<agent>: {names}",
            workspace.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use api_types::WorkspaceResource;

    use super::*;

    #[test]
    fn several_agents_need_a_name() {
        let made = |names: &[&str]| {
            let agents = names.iter().map(|name| WorkspaceAgent {
                name: (*name).into(),
                ..WorkspaceAgent::default()
            });
            let mut workspace = Workspace::default();
            workspace.latest_build.resources = vec![WorkspaceResource {
                agents: agents.collect(),
                ..WorkspaceResource::default()
            }];
            workspace
        };
        let mut two = made(&["a", "b"]);
        assert_eq!(agent(&two, Some("b")).unwrap().name, "b");
        let error = |found: Result<&WorkspaceAgent>| found.unwrap_err().to_string();
        assert!(error(agent(&two, None)).contains("a, b"));
        assert!(error(agent(&two, Some("c"))).contains("no agent \"c\""));
        assert!(error(agent(&made(&[]), None)).contains("no agents"));
        two.latest_build.resources[0].agents[1].parent_id = Some(Uuid::from_u128(1));
        assert_eq!(agent(&two, None).unwrap().name, "a");
    }
}
