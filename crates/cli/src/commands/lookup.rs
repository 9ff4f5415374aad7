//! Finding what an argument names.

use anyhow::{Context, Result};
use api_types::{Template, Workspace, WorkspaceAgent};
use client::{Client, Target, TemplateQuery};
use uuid::Uuid;

use crate::failure::Advice;
use crate::session::Session;

/// The workspace that `argument` names: `[owner/]name` or an id.
pub async fn workspace(client: &Client, argument: &str) -> Result<Workspace> {
    if let Ok(id) = argument.parse::<Uuid>() {
        match client.workspace(id).await {
            // A name may look like an id.
            Err(e) if e.is_not_found() => {}
            other => return other.with_context(|| format!("find workspace {argument:?}")),
        }
    }
    of_target(client, &Target::workspace(argument)?).await
}

/// The workspace of `target`.
pub async fn of_target(client: &Client, target: &Target) -> Result<Workspace> {
    match client
        .workspace_by_name(&target.owner, &target.workspace)
        .await
    {
        Err(e) if e.is_not_found() => Err(Advice::error(
            format!(
                "there is no workspace {:?}, or you may not see it",
                display(target)
            ),
            "'coder list' shows yours; 'coder list --all' shows all that you may see.",
        )),
        other => Ok(other?),
    }
}

fn display(target: &Target) -> String {
    match target.owner.as_str() {
        "me" => target.workspace.clone(),
        owner => format!("{owner}/{}", target.workspace),
    }
}

/// The agent of `workspace` called `name`; without name the only one.
pub fn agent<'a>(workspace: &'a Workspace, name: Option<&str>) -> Result<&'a WorkspaceAgent> {
    let agents: Vec<&WorkspaceAgent> = agents(workspace).collect();
    let names = || {
        agents
            .iter()
            .map(|a| a.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match name {
        Some(name) => agents
            .iter()
            .find(|a| a.name == name || a.id.to_string() == name)
            .copied()
            .ok_or_else(|| {
                let suggestion = if agents.is_empty() {
                    "It has no agents.".to_owned()
                } else {
                    format!("Its agents: {}.", names())
                };
                Advice::error(
                    format!("workspace {:?} has no agent {name:?}", workspace.name),
                    suggestion,
                )
            }),
        None => {
            // Agents of containers inside an agent are reached by name only.
            let top: Vec<&&WorkspaceAgent> =
                agents.iter().filter(|a| a.parent_id.is_none()).collect();
            match top[..] {
                [only] => Ok(only),
                [] => Err(Advice::error(
                    format!("workspace {:?} has no agents", workspace.name),
                    "Its template declares no coder_agent, so there is nothing to connect to.",
                )),
                _ => Err(Advice::error(
                    format!("workspace {:?} has several agents", workspace.name),
                    format!("Name one, as {}.<agent>: {}.", workspace.name, names()),
                )),
            }
        }
    }
}

/// Every agent of the workspace's latest build.
pub fn agents(workspace: &Workspace) -> impl Iterator<Item = &WorkspaceAgent> {
    workspace
        .latest_build
        .resources
        .iter()
        .flat_map(|r| &r.agents)
}

/// The template called `name`, in the organization that was asked for or in
/// the only one that has it.
pub async fn template(
    session: &Session,
    name: &str,
    organization: Option<&str>,
) -> Result<Template> {
    let client = session.client()?;
    let query = TemplateQuery {
        q: format!("exact_name:\"{}\"", name.replace(['"', '\\'], "")),
    };
    let mut found = client
        .templates(&query)
        .await
        .context("find the template")?;
    found.retain(|t| t.name.eq_ignore_ascii_case(name));
    if let Some(wanted) = organization.filter(|o| !o.is_empty()) {
        found.retain(|t| t.organization_name == wanted || t.organization_id.to_string() == wanted);
    } else if found.len() > 1 {
        let mine = session.organization(None).await?;
        let names: Vec<String> = found.iter().map(|t| t.organization_name.clone()).collect();
        found.retain(|t| t.organization_id == mine.id);
        if found.is_empty() {
            return Err(Advice::error(
                format!("several organizations have a template {name:?}"),
                format!("Choose one with --org: {}.", names.join(", ")),
            ));
        }
    }
    found.into_iter().next().ok_or_else(|| {
        Advice::error(
            format!("there is no template {name:?}, or you may not see it"),
            "'coder templates list' shows what there is.",
        )
    })
}

#[cfg(test)]
mod tests {
    use api_types::WorkspaceResource;

    use super::*;

    fn workspace_with(names: &[&str]) -> Workspace {
        let agents = names
            .iter()
            .map(|n| WorkspaceAgent {
                name: (*n).into(),
                ..WorkspaceAgent::default()
            })
            .collect();
        let mut workspace = Workspace {
            name: "dev".into(),
            ..Workspace::default()
        };
        workspace.latest_build.resources = vec![WorkspaceResource {
            agents,
            ..WorkspaceResource::default()
        }];
        workspace
    }

    #[test]
    fn several_agents_need_a_name() {
        assert_eq!(
            agent(&workspace_with(&["main"]), None).unwrap().name,
            "main"
        );
        let two = workspace_with(&["a", "b"]);
        assert_eq!(agent(&two, Some("b")).unwrap().name, "b");
        assert!(agent(&two, None).is_err());
        assert!(agent(&two, Some("c")).is_err());
        assert!(agent(&workspace_with(&[]), None).is_err());
    }

    #[test]
    fn nested_agents_do_not_count() {
        let mut two = workspace_with(&["main", "container"]);
        two.latest_build.resources[0].agents[1].parent_id = Some(Uuid::from_u128(1));
        assert_eq!(agent(&two, None).unwrap().name, "main");
        assert_eq!(agent(&two, Some("container")).unwrap().name, "container");
    }
}
