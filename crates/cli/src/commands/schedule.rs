//! `coder schedule`: when workspaces start and stop by themselves.

use anyhow::{Result, bail};
use api_types::Workspace;
use chrono::{TimeDelta, Utc};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use super::{list, lookup};
use crate::say;
use crate::schedule;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::time;
use client::Target;

/// A running workspace can be kept for at least so long.
const LEAST_EXTENSION: TimeDelta = TimeDelta::minutes(30);

/// Show and change when workspaces start and stop by themselves.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Show schedules.
    Show(ShowArgs),
    /// Set when a workspace starts, or manual.
    Start(StartArgs),
    /// Set after how long a workspace stops, or manual.
    Stop(StopArgs),
    /// Keep a running workspace for so long from now.
    #[command(visible_alias = "override-stop")]
    Extend(ExtendArgs),
}

#[derive(ClapArgs)]
struct ShowArgs {
    /// One workspace; those of the search when left out.
    workspace: Option<String>,

    #[command(flatten)]
    filter: list::Filter,

    #[command(flatten)]
    listing: Listing<Schedules>,
}

#[derive(ClapArgs)]
struct StartArgs {
    /// The workspace.
    workspace: String,

    /// Time, days and location, such as 9:30AM Mon-Fri Europe/Dublin; or manual.
    #[arg(required = true, value_name = "schedule")]
    schedule: Vec<String>,
}

#[derive(ClapArgs)]
struct StopArgs {
    /// The workspace.
    workspace: String,

    /// How long the workspace runs after each start, such as 8h; or manual.
    duration: String,
}

#[derive(ClapArgs)]
struct ExtendArgs {
    /// The workspace.
    workspace: String,

    /// How long from now, such as 90m.
    duration: String,
}

struct Schedules;
impl Table for Schedules {
    type Row = Workspace;
    const COLUMNS: &'static [Column<Workspace>] = &[
        Column {
            name: "workspace",
            cell: |w| format!("{}/{}", w.owner_name, w.name),
        },
        Column {
            name: "starts at",
            cell: list::starts_at,
        },
        Column {
            name: "starts next",
            cell: |w| w.next_start_at.map(time::rfc3339).unwrap_or_default(),
        },
        Column {
            name: "stops after",
            cell: list::stops_after,
        },
        Column {
            name: "stops next",
            cell: list::stops_next,
        },
    ];
    const DEFAULT: &'static [&'static str] = &[
        "workspace",
        "starts at",
        "starts next",
        "stops after",
        "stops next",
    ];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Show(args) => show(args, session).await,
        Sub::Start(args) => start(args, session).await,
        Sub::Stop(args) => stop(args, session).await,
        Sub::Extend(args) => extend(args, session).await,
    }
}

async fn show(args: ShowArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let found = match &args.workspace {
        Some(name) => {
            let target = Target::workspace(name)?;
            let query = format!("owner:{} name:{}", target.owner, target.workspace);
            let mut found = client.workspaces(&query, 0, 0).await?.workspaces;
            // The search finds names that contain the text, too.
            found.retain(|w| w.name.eq_ignore_ascii_case(&target.workspace));
            if found.is_empty() {
                bail!("there is no workspace {name:?}, or you may not see it");
            }
            found
        }
        None => {
            client
                .workspaces(args.filter.query(), 0, 0)
                .await?
                .workspaces
        }
    };
    if found.is_empty() && args.listing.format() != Format::Json {
        session.note("No workspaces found.");
        return Ok(());
    }
    let json: Vec<serde_json::Map<_, _>> = found
        .iter()
        .map(|w| {
            Schedules::COLUMNS
                .iter()
                .map(|c| (c.name.replace(' ', "_"), json!((c.cell)(w))))
                .collect()
        })
        .collect();
    args.listing.print(&found, &json)
}

/// Prints what the server made of the change: it may know better.
async fn show_changed(session: &Session, workspace: &Workspace) -> Result<()> {
    let now = session.client()?.workspace(workspace.id).await?;
    for column in Schedules::COLUMNS {
        say!("{:<12} {}", column.name.to_uppercase(), (column.cell)(&now))?;
    }
    Ok(())
}

async fn start(args: StartArgs, session: &Session) -> Result<()> {
    let cron = match args.schedule.as_slice() {
        [only] if only == "manual" => None,
        parts => Some(schedule::parse(parts)?),
    };
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    client.workspace_autostart(workspace.id, cron).await?;
    show_changed(session, &workspace).await
}

async fn stop(args: StopArgs, session: &Session) -> Result<()> {
    let ttl = match args.duration.as_str() {
        "manual" => None,
        text => Some(time::parse_duration(text, Some("m"))?.num_milliseconds()),
    };
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    client.workspace_ttl(workspace.id, ttl).await?;
    show_changed(session, &workspace).await
}

async fn extend(args: ExtendArgs, session: &Session) -> Result<()> {
    let by = time::parse_duration(&args.duration, Some("m"))?;
    if by < LEAST_EXTENSION {
        session.note(
            &session
                .style_err
                .warn("A workspace is kept for at least 30 minutes from now."),
        );
    }
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    client
        .workspace_extend(workspace.id, Utc::now() + by.max(LEAST_EXTENSION))
        .await?;
    show_changed(session, &workspace).await
}
