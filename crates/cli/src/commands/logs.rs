//! `coder logs`.

use anyhow::{Context, Result};
use api_types::{LogLevel, WorkspaceBuild};
use clap::Args as ClapArgs;

use super::lookup;
use crate::follow::stages::printable;
use crate::say;
use crate::session::Session;
use client::Target;

/// Show the logs of a workspace's build and of its agents.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// Build by its number; negative counts back from the latest, which is 0.
    #[arg(
        short = 'n',
        long,
        default_value_t = 0,
        allow_negative_numbers = true,
        value_name = "number"
    )]
    build_number: i32,

    /// Keep printing what the agents log.
    #[arg(short, long)]
    follow: bool,
}

/// Prints the log of the build, then those of the agents.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let workspace = lookup::workspace(client, &args.workspace).await?;
    let latest = workspace.latest_build.build_number;
    let number = if args.build_number <= 0 {
        latest + args.build_number
    } else {
        args.build_number
    };
    let build = if number == latest {
        workspace.latest_build.clone()
    } else {
        let target = Target::workspace(&workspace.name)?;
        let owner = workspace.owner_name.as_str();
        client
            .build_by_number(owner, &target.workspace, number)
            .await
            .with_context(|| {
                format!(
                    "find build {number} of {:?}, which has had {latest}",
                    workspace.name
                )
            })?
    };
    let mut logs = client.build_logs(build.id, 0).await?;
    while let Some(log) = logs.next().await {
        let log = log?;
        if matches!(log.log_level, LogLevel::Debug | LogLevel::Trace) && !session.globals.verbose {
            continue;
        }
        print(
            session,
            &log.created_at,
            "build",
            &log.log_level,
            if log.output.is_empty() {
                &log.stage
            } else {
                &log.output
            },
        )?;
    }
    agents(session, &build, args.follow).await
}

async fn agents(session: &Session, build: &WorkspaceBuild, follow: bool) -> Result<()> {
    let client = session.client()?;
    let agents: Vec<_> = build.resources.iter().flat_map(|r| &r.agents).collect();
    let mut after = vec![0; agents.len()];
    for (agent, after) in agents.iter().zip(&mut after) {
        for log in client.agent_logs(agent.id, *after).await? {
            *after = log.id;
            print(
                session,
                &log.created_at,
                &agent.name,
                &log.level,
                &log.output,
            )?;
        }
    }
    if !follow || agents.is_empty() {
        return Ok(());
    }
    let following = agents.iter().zip(after).map(|(agent, after)| async move {
        let mut logs = client.agent_logs_follow(agent.id, after).await?;
        while let Some(batch) = logs.next().await {
            for log in batch? {
                print(
                    session,
                    &log.created_at,
                    &agent.name,
                    &log.level,
                    &log.output,
                )?;
            }
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(following).await.map(drop)
}

fn print(
    session: &Session,
    at: &chrono::DateTime<chrono::Utc>,
    source: &str,
    level: &LogLevel,
    text: &str,
) -> Result<()> {
    let style = session.style;
    let text = printable(text);
    let text = match level {
        LogLevel::Error => style.error(&text),
        LogLevel::Warn => style.warn(&text),
        _ => text,
    };
    say!(
        "{} {} {text}",
        style.dim(&at.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string()),
        style.keyword(&format!("[{source}]"))
    )
}
