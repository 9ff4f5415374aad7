//! Showing the resources and agents of a workspace or template version.

use anyhow::Result;
use api_types::{WorkspaceAgent, WorkspaceAgentStatus, WorkspaceResource};
use chrono::{DateTime, Utc};

use crate::session::Session;
use crate::ui::output::emit;
use crate::ui::style::Style;
use crate::ui::{table, time};

/// Prints resources with the platforms of their agents, as a template will
/// make them.
pub fn print(session: &Session, resources: &[WorkspaceResource]) -> Result<()> {
    let mut rows = Vec::new();
    for resource in visible(resources) {
        rows.push(vec![title(resource)]);
        for (agent, branch) in branches(&resource.agents) {
            rows.push(vec![format!(
                "{branch} {}",
                described(agent, session.style)
            )]);
        }
    }
    emit(&table::render(&["resource"], &rows))
}

/// Prints resources with the state of their agents and how to reach them.
pub fn print_live(
    session: &Session,
    workspace: &str,
    resources: &[WorkspaceResource],
    details: bool,
) -> Result<()> {
    let style = session.style;
    let many = resources.iter().map(|r| r.agents.len()).sum::<usize>() > 1;
    let mut rows = Vec::new();
    for resource in visible(resources) {
        rows.push(vec![title(resource)]);
        for (agent, branch) in branches(&resource.agents) {
            let access = if many {
                format!("coder ssh {workspace}.{}", agent.name)
            } else {
                format!("coder ssh {workspace}")
            };
            rows.push(vec![
                format!("{branch} {}", described(agent, style)),
                state(agent, Utc::now(), style),
                health(agent, details, style),
                agent.version.clone(),
                style.code(&access),
            ]);
        }
    }
    emit(&table::render(
        &["resource", "status", "health", "version", "access"],
        &rows,
    ))
}

fn visible(resources: &[WorkspaceResource]) -> impl Iterator<Item = &WorkspaceResource> {
    resources.iter().filter(|r| !r.hide)
}

fn title(resource: &WorkspaceResource) -> String {
    format!("{}.{}", resource.r#type, resource.name)
}

fn branches(agents: &[WorkspaceAgent]) -> impl Iterator<Item = (&WorkspaceAgent, &'static str)> {
    let last = agents.len().saturating_sub(1);
    agents
        .iter()
        .enumerate()
        .map(move |(i, a)| (a, if i == last { "└─" } else { "├─" }))
}

fn described(agent: &WorkspaceAgent, style: Style) -> String {
    format!(
        "{} {}",
        agent.name,
        style.dim(&format!(
            "({}, {})",
            agent.operating_system, agent.architecture
        ))
    )
}

fn state(agent: &WorkspaceAgent, now: DateTime<Utc>, style: Style) -> String {
    let since = |at: Option<DateTime<Utc>>| {
        at.map(|at| format!(" [{}]", time::coarse(now - at)))
            .unwrap_or_default()
    };
    match &agent.status {
        WorkspaceAgentStatus::Connected => style.good("⦿ connected"),
        WorkspaceAgentStatus::Connecting => {
            style.warn(&format!("⦿ connecting{}", since(Some(agent.created_at))))
        }
        WorkspaceAgentStatus::Disconnected => {
            style.error(&format!("⦾ disconnected{}", since(agent.disconnected_at)))
        }
        WorkspaceAgentStatus::Timeout => {
            style.warn(&format!("⦾ timeout{}", since(Some(agent.created_at))))
        }
        other => other.to_string(),
    }
}

fn health(agent: &WorkspaceAgent, details: bool, style: Style) -> String {
    if agent.health.healthy {
        return style.good("✔ healthy");
    }
    /// Longer reasons are cut unless asked for.
    const BRIEF: usize = 40;
    let reason = &agent.health.reason;
    let cut = reason
        .char_indices()
        .nth(BRIEF)
        .filter(|_| !details)
        .map(|(at, _)| format!("{}…", &reason[..at]));
    style.error(&format!("✘ {}", cut.as_ref().unwrap_or(reason)))
}
