//! `coder list`.

use anyhow::Result;
use api_types::{ProvisionerJobStatus, Workspace, WorkspaceTransition};
use chrono::{TimeDelta, Utc};
use clap::Args as ClapArgs;

use crate::schedule;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::time;

/// List workspaces.
#[derive(ClapArgs)]
pub struct Args {
    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    listing: Listing<Workspaces>,
}

/// Which workspaces.
#[derive(Debug, ClapArgs)]
pub struct Filter {
    /// Workspaces of everybody.
    #[arg(short, long)]
    all: bool,

    /// Only workspaces that match this search.
    #[arg(long, default_value = "owner:me", value_name = "query")]
    search: String,
}

impl Filter {
    /// The search expression.
    pub fn query(&self) -> &str {
        if self.all && self.search == "owner:me" {
            ""
        } else {
            &self.search
        }
    }
}

/// The table of workspaces.
pub struct Workspaces;

impl Table for Workspaces {
    type Row = Workspace;
    const COLUMNS: &'static [Column<Workspace>] = &[
        Column {
            name: "favorite",
            cell: |w| w.favorite.to_string(),
        },
        Column {
            name: "workspace",
            cell: |w| {
                format!(
                    "{}{}/{}",
                    if w.favorite { "★ " } else { "" },
                    w.owner_name,
                    w.name
                )
            },
        },
        Column {
            name: "organization id",
            cell: |w| w.organization_id.to_string(),
        },
        Column {
            name: "organization name",
            cell: |w| w.organization_name.clone(),
        },
        Column {
            name: "template",
            cell: |w| w.template_name.clone(),
        },
        Column {
            name: "status",
            cell: status,
        },
        Column {
            name: "healthy",
            cell: healthy,
        },
        Column {
            name: "last built",
            cell: |w| {
                time::coarse(
                    Utc::now()
                        - w.latest_build
                            .job
                            .completed_at
                            .unwrap_or(w.latest_build.created_at),
                )
            },
        },
        Column {
            name: "current version",
            cell: |w| w.latest_build.template_version_name.clone(),
        },
        Column {
            name: "outdated",
            cell: |w| w.outdated.to_string(),
        },
        Column {
            name: "starts at",
            cell: starts_at,
        },
        Column {
            name: "starts next",
            cell: |w| w.next_start_at.map(time::rfc3339).unwrap_or_default(),
        },
        Column {
            name: "stops after",
            cell: stops_after,
        },
        Column {
            name: "stops next",
            cell: stops_next,
        },
        Column {
            name: "daily cost",
            cell: |w| w.latest_build.daily_cost.to_string(),
        },
    ];
    const DEFAULT: &'static [&'static str] = &[
        "workspace",
        "template",
        "status",
        "healthy",
        "last built",
        "current version",
        "outdated",
        "starts at",
        "stops after",
    ];
    /// The server's order is kept: favourites first, then what runs.
    const SORTED: bool = false;
}

/// What the workspace does, in a word.
pub fn status(w: &Workspace) -> String {
    let build = &w.latest_build;
    let (doing, done) = match build.transition {
        WorkspaceTransition::Stop => ("Stopping", "Stopped"),
        WorkspaceTransition::Delete => ("Deleting", "Deleted"),
        _ => ("Starting", "Started"),
    };
    match &build.job.status {
        ProvisionerJobStatus::Pending => "Queued".to_owned(),
        ProvisionerJobStatus::Running => doing.to_owned(),
        ProvisionerJobStatus::Succeeded if w.dormant_at.is_some() => "Dormant".to_owned(),
        ProvisionerJobStatus::Succeeded => done.to_owned(),
        ProvisionerJobStatus::Canceling => "Canceling".to_owned(),
        ProvisionerJobStatus::Canceled => "Canceled".to_owned(),
        ProvisionerJobStatus::Failed => "Failed".to_owned(),
        other => other.to_string(),
    }
}

fn healthy(w: &Workspace) -> String {
    match status(w).as_str() {
        "Starting" | "Started" => w.health.healthy.to_string(),
        _ => String::new(),
    }
}

/// By which schedule the workspace starts.
pub fn starts_at(w: &Workspace) -> String {
    w.autostart_schedule
        .as_deref()
        .map(schedule::display)
        .unwrap_or_default()
}

/// After how long the workspace stops.
pub fn stops_after(w: &Workspace) -> String {
    w.ttl_ms
        .filter(|ms| *ms > 0)
        .map(|ms| time::coarse(TimeDelta::milliseconds(ms)))
        .unwrap_or_default()
}

/// When a running workspace stops, and how far away that is.
pub fn stops_next(w: &Workspace) -> String {
    let deadline = w.latest_build.deadline.filter(|d| !time::is_zero(*d));
    match deadline {
        Some(at) if w.latest_build.transition == WorkspaceTransition::Start => {
            format!("{} ({})", time::rfc3339(at), time::relative(at, Utc::now()))
        }
        _ => String::new(),
    }
}

/// Prints the workspaces.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let found = session
        .client()?
        .workspaces(args.filter.query(), 0, 0)
        .await?
        .workspaces;
    if found.is_empty() && args.listing.format() != Format::Json {
        session.note(&format!(
            "No workspaces found! Create one:\n\n  {}\n",
            session.style_err.code("coder create <name>")
        ));
        return Ok(());
    }
    args.listing.print(&found, &found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_follows_job_and_transition() {
        let mut w = Workspace::default();
        w.latest_build.transition = WorkspaceTransition::Stop;
        w.latest_build.job.status = ProvisionerJobStatus::Running;
        assert_eq!(status(&w), "Stopping");
        w.latest_build.job.status = ProvisionerJobStatus::Succeeded;
        assert_eq!((status(&w).as_str(), healthy(&w).as_str()), ("Stopped", ""));
        w.latest_build.transition = WorkspaceTransition::Start;
        assert_eq!(
            (status(&w).as_str(), healthy(&w).as_str()),
            ("Started", "false")
        );
        w.latest_build.job.status = ProvisionerJobStatus::Failed;
        assert_eq!(status(&w), "Failed");
    }

    #[test]
    fn all_lifts_the_default_search_alone() {
        let filter = |all, search: &str| {
            Filter {
                all,
                search: search.into(),
            }
            .query()
            .to_owned()
        };
        assert_eq!(filter(false, "owner:me"), "owner:me");
        assert_eq!(filter(true, "owner:me"), "");
        assert_eq!(filter(true, "name:x"), "name:x");
    }
}
