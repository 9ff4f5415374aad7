//! Tools for workspaces and their builds.

use anyhow::{Result, bail};
use api_types::{
    CreateWorkspaceBuildRequest, CreateWorkspaceRequest, ProvisionerJobLog, WorkspaceTransition,
};
use client::JsonSocket;
use serde_json::{Value, json};

use crate::args::Args;
use crate::find;
use crate::{Argument, Deps, Kind, Offer};

/// Lines of a log that are told: the last ones say what happened.
pub(crate) const MAX_LINES: usize = 2000;

const NAMES: &str = "The workspace: its id, [owner/]workspace[.agent], owner--workspace or \
    agent.workspace.owner. Without owner it is your own.";

/// The workspace that a tool works in.
pub(crate) const WORKSPACE: Argument = ("workspace*", "string", NAMES);

pub(crate) const OFFERS: &[Offer] = &[
    Offer {
        name: "coder_get_workspace",
        description: "Get a workspace by name or id, with its builds, agents and apps. This tells \
                      more than coder_list_workspaces.",
        kind: Kind::Reads,
        arguments: &[("workspace_id*", "string", NAMES)],
        run: |deps, args| Box::pin(read(deps, args)),
    },
    Offer {
        name: "coder_list_workspaces",
        description: "List workspaces.",
        kind: Kind::Reads,
        arguments: &[(
            "owner",
            "string",
            "Whose; \"me\", which is the default, are your own.",
        )],
        run: |deps, args| Box::pin(list(deps, args)),
    },
    Offer {
        name: "coder_create_workspace",
        description: "Create a workspace from a template. Before, list the templates, recommend the \
                      one that fits, and have the user confirm it. The name must be 1 to 32 letters, \
                      digits and single dashes. Afterwards follow the build with \
                      coder_get_workspace_build_logs; the workspace can be used once it is built.",
        kind: Kind::Changes,
        arguments: &[
            (
                "user*",
                "string",
                "Whose workspace it will be; \"me\" for your own.",
            ),
            ("name*", "string", "Name of the workspace."),
            (
                "rich_parameters*",
                "object",
                "Values of the template's parameters by name.",
            ),
            (
                "template_id",
                "string",
                "Id of the template, to take its active version.",
            ),
            (
                "template_version_id",
                "string",
                "Id of a version, in place of template_id.",
            ),
            (
                "template_version_preset_id",
                "string",
                "Id of a preset, from coder_get_template.",
            ),
        ],
        run: |deps, args| Box::pin(create(deps, args)),
    },
    Offer {
        name: "coder_create_workspace_build",
        description: "Start, stop or delete a workspace. Follow the build with \
                      coder_get_workspace_build_logs until it is done before you ask for another or \
                      use the workspace. Presets and parameters are for starting only.",
        kind: Kind::Destroys,
        arguments: &[
            ("workspace_id*", "string", "Id of the workspace."),
            ("transition*", "start|stop|delete", "What to do."),
            (
                "template_version_id",
                "string",
                "Id of a version; the one it was built with if absent.",
            ),
            (
                "template_version_preset_id",
                "string",
                "Id of a preset of that version.",
            ),
            ("rich_parameters", "object", "Values of parameters by name."),
        ],
        run: |deps, args| Box::pin(build(deps, args)),
    },
    Offer {
        name: "coder_get_workspace_agent_logs",
        description: "Read what the scripts of a workspace's agent wrote.",
        kind: Kind::Reads,
        arguments: &[(
            "workspace_agent_id*",
            "string",
            "Id of the agent, from coder_get_workspace.",
        )],
        run: |deps, args| Box::pin(agent_logs(deps, args)),
    },
    Offer {
        name: "coder_get_workspace_build_logs",
        description: "Read the log of a build; waits until it has ended.",
        kind: Kind::Reads,
        arguments: &[("workspace_build_id*", "string", "Id of the build.")],
        run: |deps, args| Box::pin(build_logs(deps, args)),
    },
    Offer {
        name: "coder_workspace_list_apps",
        description: "List the addresses of the apps of a workspace.",
        kind: Kind::Reads,
        arguments: &[WORKSPACE],
        run: |deps, args| Box::pin(apps(deps, args)),
    },
    Offer {
        name: "coder_get_authenticated_user",
        description: "Get the user that the tools act as.",
        kind: Kind::Reads,
        arguments: &[],
        run: |deps, _| Box::pin(async move { Ok(json!(deps.client().user("me").await?)) }),
    },
];

async fn read(deps: &Deps, args: Args) -> Result<Value> {
    Ok(json!(
        find::workspace(deps.client(), args.text("workspace_id")?).await?
    ))
}

async fn list(deps: &Deps, args: Args) -> Result<Value> {
    let owner = args.maybe("owner")?.unwrap_or("me");
    let query = format!("owner:\"{}\"", owner.replace('"', ""));
    let all = deps.client().workspaces(&query, 0, 0).await?;
    let short = all.workspaces.iter().map(|w| {
        json!({
            "id": w.id,
            "name": w.name,
            "template_id": w.template_id,
            "template_name": w.template_name,
            "template_display_name": w.template_display_name,
            "template_icon": w.template_icon,
            "template_active_version_id": w.template_active_version_id,
            "outdated": w.outdated,
        })
    });
    Ok(short.collect())
}

async fn create(deps: &Deps, args: Args) -> Result<Value> {
    let request = CreateWorkspaceRequest {
        name: args.text("name")?.to_owned(),
        template_id: args.maybe_id("template_id")?,
        template_version_id: args.maybe_id("template_version_id")?,
        template_version_preset_id: args.maybe_id("template_version_preset_id")?,
        rich_parameter_values: args.parameters("rich_parameters")?,
        ..CreateWorkspaceRequest::default()
    };
    if request.template_id.is_some() == request.template_version_id.is_some() {
        bail!("give either template_id or template_version_id");
    }
    let user = args.maybe("user")?.unwrap_or("me");
    Ok(json!(deps.client().workspace_create(user, &request).await?))
}

async fn build(deps: &Deps, args: Args) -> Result<Value> {
    let transition = match args.text("transition")? {
        "start" => WorkspaceTransition::Start,
        "stop" => WorkspaceTransition::Stop,
        "delete" => WorkspaceTransition::Delete,
        other => bail!("transition must be start, stop or delete, not {other:?}"),
    };
    let request = CreateWorkspaceBuildRequest {
        template_version_id: args.maybe_id("template_version_id")?,
        template_version_preset_id: args.maybe_id("template_version_preset_id")?,
        rich_parameter_values: args.parameters("rich_parameters")?,
        transition,
        ..CreateWorkspaceBuildRequest::default()
    };
    let chosen =
        request.template_version_preset_id.is_some() || !request.rich_parameter_values.is_empty();
    if chosen && request.transition != WorkspaceTransition::Start {
        bail!("template_version_preset_id and rich_parameters are for the transition start only");
    }
    let id = args.id("workspace_id")?;
    Ok(json!(deps.client().build_create(id, &request).await?))
}

async fn agent_logs(deps: &Deps, args: Args) -> Result<Value> {
    let id = args.id("workspace_agent_id")?;
    let lines = deps.client().agent_logs(id, 0).await?;
    let from = lines.len().saturating_sub(MAX_LINES);
    Ok(lines[from..]
        .iter()
        .map(|line| line.output.as_str())
        .collect())
}

async fn build_logs(deps: &Deps, args: Args) -> Result<Value> {
    let id = args.id("workspace_build_id")?;
    lines(deps.client().build_logs(id, 0).await?).await
}

/// The last lines of a job's log, once it has ended.
pub(crate) async fn lines(mut log: JsonSocket<ProvisionerJobLog>) -> Result<Value> {
    let mut lines = std::collections::VecDeque::new();
    while let Some(line) = log.next().await {
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line?.output);
    }
    Ok(lines.into_iter().collect())
}

async fn apps(deps: &Deps, args: Args) -> Result<Value> {
    let workspace = find::workspace(deps.client(), args.text("workspace")?).await?;
    let base = deps.client().url().clone();
    let mut apps = Vec::new();
    for agent in find::agents(&workspace) {
        for app in agent.apps.iter().filter(|app| !app.hidden) {
            let url = if app.external {
                app.url.clone()
            } else {
                let owner = &workspace.owner_name;
                let path = format!(
                    "/@{owner}/{}.{}/apps/{}/",
                    workspace.name, agent.name, app.slug
                );
                base.join(&path)?.into()
            };
            apps.push(json!({ "name": app.slug, "url": url }));
        }
    }
    Ok(json!({ "apps": apps }))
}
