//! `coder features`: what the deployment may do.

use anyhow::{Context, Result};
use api_types::Feature;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;
use crate::ui::output::{Column, Listing, Table};

/// Show the features of the deployment.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List features and whether they may be used.
    #[command(visible_alias = "ls")]
    List(ListArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    listing: Listing<Features>,
}

struct Features;
impl Table for Features {
    type Row = (String, Feature);
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column::new("name", |f| f.0.clone()),
        Column::new("entitlement", |f| f.1.entitlement.to_string()),
        Column::new("enabled", |f| f.1.enabled.to_string()),
        Column::new("limit", |f| number(f.1.limit)),
        Column::new("actual", |f| number(f.1.actual)),
    ];
    const DEFAULT: &'static [&'static str] = &["name", "entitlement", "enabled", "limit", "actual"];
}

fn number(n: Option<i64>) -> String {
    n.map(|n| n.to_string()).unwrap_or_default()
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let Sub::List(args) = args.command;
    let all = session
        .client()?
        .entitlements()
        .await
        .context("ask for the features")?;
    let warnings = all.warnings.iter().chain(&all.errors);
    warnings.for_each(|w| session.note(&session.style_err.warn(w)));
    let rows: Vec<(String, Feature)> = all.features.clone().into_iter().collect();
    args.listing.print(&rows, &all)
}
