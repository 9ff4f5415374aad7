//! `coder exp sync`: scripts of one workspace wait for each other, by way of
//! the agent's local socket.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use rpc::AgentSocketClient;
use rpc::proto::agentsocket as wire;
use serde::Serialize;

use super::agent_socket::AgentSocket;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::time;

/// How often to ask whether the others are done. The socket tells nothing by
/// itself.
const POLL: Duration = Duration::from_secs(1);

/// Put scripts of this workspace into an order: a unit (a script, as a rule)
/// says what it wants done before it starts, and when it is done itself.
#[derive(ClapArgs)]
#[command(
    after_help = "Example, in the script of unit \"app\":\n  coder exp sync want app database\n  coder exp sync start app     # waits until database is complete\n  …\n  coder exp sync complete app"
)]
pub struct Args {
    #[command(flatten)]
    socket: AgentSocket,

    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Ask whether the agent answers.
    Ping,
    /// Say that a unit must wait for others.
    Want(WantArgs),
    /// Wait until a unit may start, and say that it has.
    Start(StartArgs),
    /// Say that a unit is done.
    Complete(UnitArgs),
    /// Show a unit and what it waits for.
    Status(StatusArgs),
    /// List units.
    #[command(visible_alias = "ls")]
    List(ListArgs),
}

#[derive(ClapArgs)]
struct WantArgs {
    /// The unit that waits.
    unit: String,

    /// The units that must be complete before.
    #[arg(required = true, value_name = "depends-on")]
    depends_on: Vec<String>,
}

#[derive(ClapArgs)]
struct StartArgs {
    /// The unit.
    unit: String,

    /// How long to wait at most; 0 is for ever.
    #[arg(long, value_name = "duration", default_value = "5m", value_parser = time::duration_flag)]
    timeout: Duration,
}

#[derive(ClapArgs)]
struct UnitArgs {
    /// The unit.
    unit: String,
}

#[derive(ClapArgs)]
struct StatusArgs {
    /// The unit.
    unit: String,

    #[command(flatten)]
    listing: Listing<Dependencies>,
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    listing: Listing<Units>,
}

/// One thing that a unit waits for.
#[derive(Debug, Serialize)]
struct Dependency {
    depends_on: String,
    required_status: String,
    current_status: String,
    is_satisfied: bool,
}

struct Dependencies;
impl Table for Dependencies {
    type Row = Dependency;
    const COLUMNS: &'static [Column<Dependency>] = &[
        Column::new("depends on", |d| d.depends_on.clone()),
        Column::new("required status", |d| d.required_status.clone()),
        Column::new("current status", |d| shown(&d.current_status)),
        Column::new("satisfied", |d| d.is_satisfied.to_string()),
    ];
    const DEFAULT: &'static [&'static str] = &[
        "depends on",
        "required status",
        "current status",
        "satisfied",
    ];
}

#[derive(Debug, Serialize)]
struct Unit {
    #[serde(rename = "unit_name")]
    name: String,
    status: String,
    is_ready: bool,
}

struct Units;
impl Table for Units {
    type Row = Unit;
    const COLUMNS: &'static [Column<Unit>] = &[
        Column::new("unit", |u| u.name.clone()),
        Column::new("status", |u| shown(&u.status)),
        Column::new("ready", |u| u.is_ready.to_string()),
    ];
    const DEFAULT: &'static [&'static str] = &["unit", "status", "ready"];
}

/// A unit that others wait for, but that has not said a word, has no status.
fn shown(status: &str) -> String {
    if status.is_empty() {
        "not registered".to_owned()
    } else {
        status.to_owned()
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = args.socket.connect("").await?;
    match args.command {
        Sub::Ping => {
            client.ping(&wire::PingRequest {}).await?;
            say!("Success")
        }
        Sub::Want(args) => want(args, &client).await,
        Sub::Start(args) => start(&args, &client).await,
        Sub::Complete(args) => {
            let request = wire::SyncCompleteRequest { unit: args.unit };
            client.sync_complete(&request).await?;
            say!("Success")
        }
        Sub::Status(args) => status(args, &client).await,
        Sub::List(args) => list(args, &client, session).await,
    }
}

async fn want(args: WantArgs, client: &AgentSocketClient) -> Result<()> {
    for depends_on in &args.depends_on {
        let request = wire::SyncWantRequest {
            unit: args.unit.clone(),
            depends_on: depends_on.clone(),
        };
        client
            .sync_want(&request)
            .await
            .with_context(|| format!("let {:?} wait for {depends_on:?}", args.unit))?;
    }
    say!(
        "Unit {:?} waits for: {}",
        args.unit,
        args.depends_on.join(", ")
    )
}

async fn start(args: &StartArgs, client: &AgentSocketClient) -> Result<()> {
    let request = wire::SyncStatusRequest {
        unit: args.unit.clone(),
    };
    let before = client.sync_status(&request).await?;
    let all = names(&before.dependencies, |_| true);
    let open = names(&before.dependencies, |d| !d.is_satisfied);
    if !before.is_ready {
        say!("Unit {:?} is waiting for: {open}", args.unit)?;
        let waiting = until_ready(args, client);
        if args.timeout.is_zero() {
            waiting.await?;
        } else {
            let waited = tokio::time::timeout(args.timeout, waiting).await;
            match waited {
                Ok(ready) => ready?,
                Err(_) => bail!(
                    "unit {:?} still waits after {}: 'coder exp sync status {}' shows for what",
                    args.unit,
                    time::took(args.timeout),
                    args.unit
                ),
            }
        }
    }
    let request = wire::SyncStartRequest {
        unit: args.unit.clone(),
    };
    client.sync_start(&request).await?;
    match (all.as_str(), open.as_str()) {
        ("", _) => say!("Unit {:?} started: it waits for nothing", args.unit),
        (all, "") => say!("Unit {:?} started at once, after: {all}", args.unit),
        (_, open) => say!("Unit {:?} started, having waited for: {open}", args.unit),
    }
}

async fn until_ready(args: &StartArgs, client: &AgentSocketClient) -> Result<()> {
    let request = wire::SyncReadyRequest {
        unit: args.unit.clone(),
    };
    while !client.sync_ready(&request).await?.ready {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn names(
    dependencies: &[wire::DependencyInfo],
    which: impl Fn(&wire::DependencyInfo) -> bool,
) -> String {
    let mut names: Vec<&str> = dependencies
        .iter()
        .filter(|d| which(d))
        .map(|d| d.depends_on.as_str())
        .collect();
    names.sort_unstable();
    names.join(", ")
}

async fn status(args: StatusArgs, client: &AgentSocketClient) -> Result<()> {
    let request = wire::SyncStatusRequest {
        unit: args.unit.clone(),
    };
    let found = client.sync_status(&request).await?;
    let rows: Vec<Dependency> = found
        .dependencies
        .into_iter()
        .map(|d| Dependency {
            depends_on: d.depends_on,
            required_status: d.required_status,
            current_status: d.current_status,
            is_satisfied: d.is_satisfied,
        })
        .collect();
    if args.listing.format() != Format::Json {
        say!("Unit: {}", args.unit)?;
        say!("Status: {}", shown(&found.status))?;
        say!("Ready: {}", found.is_ready)?;
        if rows.is_empty() {
            return say!("Waits for nothing.");
        }
        say!()?;
    }
    let json = serde_json::json!({
        "unit_name": args.unit,
        "status": found.status,
        "is_ready": found.is_ready,
        "dependencies": rows,
    });
    args.listing.print(&rows, &json)
}

async fn list(args: ListArgs, client: &AgentSocketClient, session: &Session) -> Result<()> {
    let found = client.sync_list(&wire::SyncListRequest {}).await?;
    let rows: Vec<Unit> = found
        .units
        .into_iter()
        .map(|u| Unit {
            name: u.unit,
            status: u.status,
            is_ready: u.is_ready,
        })
        .collect();
    if rows.is_empty() && args.listing.format() != Format::Json {
        session.note("No units registered.");
        return Ok(());
    }
    args.listing.print(&rows, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_chosen() {
        let one = |name: &str, is_satisfied| wire::DependencyInfo {
            depends_on: name.into(),
            is_satisfied,
            ..Default::default()
        };
        let all = [one("b", true), one("a", false)];
        assert_eq!(names(&all, |_| true), "a, b");
        assert_eq!(names(&all, |d| !d.is_satisfied), "a");
    }
}
