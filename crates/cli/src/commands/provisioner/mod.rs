//! `coder provisioner`: what runs Terraform for an organization.

mod daemons;
mod jobs;
mod keys;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Show what runs Terraform, its jobs, and the keys by which it signs in.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List provisioner daemons.
    #[command(visible_alias = "ls")]
    List(daemons::Args),
    /// Show and cancel provisioner jobs.
    #[command(visible_alias = "job")]
    Jobs(jobs::Args),
    /// Manage keys for daemons on other machines.
    #[command(visible_alias = "key")]
    Keys(keys::Args),
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::List(args) => daemons::run(args, session).await,
        Sub::Jobs(args) => jobs::run(args, session).await,
        Sub::Keys(args) => keys::run(args, session).await,
    }
}

/// Tags as a map in one cell.
fn tags(tags: &std::collections::BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = tags
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(" ")
}
