//! `coder show`.

use anyhow::Result;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::{list, lookup, resources};
use crate::say;
use crate::session::Session;
use crate::ui::time;

/// Show a workspace's resources and agents.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// Show everything: whole error messages, open ports, schedule.
    #[arg(long)]
    details: bool,
}

/// Prints the workspace.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    let style = session.style;
    let build = &workspace.latest_build;
    say!(
        "{} ({} since {}) {}:{}",
        style.keyword(&format!("{}/{}", workspace.owner_name, workspace.name)),
        list::status(&workspace).to_lowercase(),
        time::coarse(Utc::now() - build.created_at),
        workspace.template_name,
        build.template_version_name,
    )?;
    if !build.job.error.is_empty() {
        say!("{}", style.error(&build.job.error))?;
    }
    if workspace.outdated {
        say!(
            "{}",
            style.warn(&format!(
                "A newer version of the template is active: coder update {}",
                workspace.name
            ))
        )?;
    }
    resources::print_live(session, &workspace.name, &build.resources, args.details)?;
    if args.details {
        details(session, &workspace).await?;
    }
    Ok(())
}

async fn details(session: &Session, workspace: &api_types::Workspace) -> Result<()> {
    say!("\nID:           {}", workspace.id)?;
    say!("Organization: {}", workspace.organization_name)?;
    say!("Created:      {}", time::rfc3339(workspace.created_at))?;
    if let Some(schedule) = &workspace.autostart_schedule {
        say!("Starts:       {}", crate::schedule::display(schedule))?;
    }
    let stops = list::stops_next(workspace);
    if !stops.is_empty() {
        say!("Stops:        {stops}")?;
    }
    for agent in
        lookup::agents(workspace).filter(|a| a.status == api_types::WorkspaceAgentStatus::Connected)
    {
        // An agent that is busy or old may not answer; the rest is still worth showing.
        let Ok(open) = session.client()?.agent_listening_ports(agent.id).await else {
            continue;
        };
        for port in open.ports {
            say!(
                "Port:         {} {}/{} {}",
                agent.name,
                port.port,
                port.network,
                port.process_name
            )?;
        }
    }
    Ok(())
}
