//! `coder external-workspaces`: workspaces whose agent somebody starts on a machine of their own.

use anyhow::{Context, Result, bail};
use api_types::Workspace;
use clap::{Args as ClapArgs, Subcommand};
use serde::Serialize;

use super::list::{Filter, Workspaces};
use super::{create, lookup};
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use client::Target;

/// The resource type of agents that are started by hand.
const EXTERNAL_AGENT: &str = "coder_external_agent";

/// Create and manage workspaces whose agent you start yourself.
#[derive(ClapArgs)]
pub struct Args {
    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a workspace and print how to start its agent.
    Create(Box<create::Args>),
    /// List workspaces with external agents.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Print how to start the agent of a workspace.
    AgentInstructions(InstructionArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    listing: Listing<External>,
}

#[derive(ClapArgs)]
struct InstructionArgs {
    /// The workspace, and its agent if it has several.
    #[arg(value_name = "[user/]workspace[.agent]")]
    workspace: String,

    #[command(flatten)]
    listing: Listing<Instructions>,
}

/// The table of external workspaces: as of all, with fewer columns at first.
struct External;

impl Table for External {
    type Row = Workspace;
    const COLUMNS: &'static [Column<Workspace>] = Workspaces::COLUMNS;
    const DEFAULT: &'static [&'static str] = &[
        "workspace",
        "template",
        "status",
        "healthy",
        "last built",
        "current version",
        "outdated",
    ];
    const SORTED: bool = false;
}

/// What starts one agent.
#[derive(Serialize)]
struct Instructions {
    workspace_name: String,
    agent_name: String,
    auth_type: &'static str,
    auth_token: String,
    init_script: String,
}

impl Table for Instructions {
    type Row = Instructions;
    const COLUMNS: &'static [Column<Instructions>] = &[];
    const DEFAULT: &'static [&'static str] = &[];
    const TEXT: bool = true;
}

/// Runs the command.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let organization = args
        .organization
        .organization
        .filter(|name| !name.is_empty());
    match args.command {
        Command::Create(mut args) => {
            args.in_organization(organization);
            let created = create::create(&args, session, true).await?;
            let workspace = session.client()?.workspace(created.id).await?;
            explain(
                session,
                &workspace.name,
                &of_workspace(session, &workspace).await?,
            )
        }
        Command::List(args) => list(&args, organization.as_deref(), session).await,
        Command::AgentInstructions(args) => {
            instructions(&args, organization.as_deref(), session).await
        }
    }
}

async fn list(args: &ListArgs, organization: Option<&str>, session: &Session) -> Result<()> {
    let mut query = format!("{} has_external_agent:true", args.filter.query());
    if let Some(name) = organization {
        let organization = session.organization(Some(name)).await?;
        query.push_str(" organization:");
        query.push_str(&organization.id.to_string());
    }
    let found = session
        .client()?
        .workspaces(query.trim(), 0, 0)
        .await?
        .workspaces;
    if found.is_empty() && args.listing.format() != Format::Json {
        session.note(&format!(
            "No workspaces found! Create one:\n\n  {}\n",
            session
                .style_err
                .code("coder external-workspaces create <name>")
        ));
        return Ok(());
    }
    args.listing.print(&found, &found)
}

async fn instructions(
    args: &InstructionArgs,
    organization: Option<&str>,
    session: &Session,
) -> Result<()> {
    let client = session.client()?;
    let target = Target::agent(&args.workspace)?;
    let workspace = lookup::of_target(client, &target).await?;
    if let Some(name) = organization
        && session.organization(Some(name)).await?.id != workspace.organization_id
    {
        bail!(
            "the workspace {:?} is in the organization {:?}, not in {name:?}",
            workspace.name,
            workspace.organization_name
        );
    }
    let mut all = of_workspace(session, &workspace).await?;
    if let Some(agent) = target.agent.as_deref() {
        all.retain(|i| i.agent_name == agent);
    }
    let names: Vec<&str> = all.iter().map(|i| i.agent_name.as_str()).collect();
    if all.len() > 1 {
        bail!(
            "the workspace has several external agents: {}; say which, as in {}.{}",
            names.join(", "),
            workspace.name,
            names[0]
        );
    }
    let Some(one) = all.pop() else {
        bail!(
            "the workspace {:?} has no external agent{} in its latest build",
            workspace.name,
            target
                .agent
                .map(|a| format!(" named {a:?}"))
                .unwrap_or_default()
        );
    };
    if args.listing.format() == Format::Json {
        return crate::ui::output::print_json(&one);
    }
    explain(session, &workspace.name, &[one])
}

/// What starts each external agent of the workspace's latest build.
async fn of_workspace(session: &Session, workspace: &Workspace) -> Result<Vec<Instructions>> {
    let mut found = Vec::new();
    let resources = workspace.latest_build.resources.iter();
    for agent in resources
        .filter(|r| r.r#type == EXTERNAL_AGENT)
        .filter_map(|r| r.agents.first())
    {
        let credentials = session
            .client()?
            .external_agent_credentials(workspace.id, &agent.name)
            .await
            .with_context(|| format!("get the token of the agent {:?}", agent.name))?;
        found.push(Instructions {
            workspace_name: workspace.name.clone(),
            agent_name: agent.name.clone(),
            auth_type: "token",
            auth_token: credentials.agent_token,
            init_script: credentials.command,
        });
    }
    Ok(found)
}

fn explain(session: &Session, workspace: &str, agents: &[Instructions]) -> Result<()> {
    say!(
        "\nRun this where the workspace {} is to be:\n",
        session.style.keyword(workspace)
    )?;
    for agent in agents {
        if agents.len() > 1 {
            say!(
                "For the agent {}:",
                session.style.keyword(&agent.agent_name)
            )?;
        }
        say!("{}\n", session.style.code(&agent.init_script))?;
    }
    Ok(())
}
