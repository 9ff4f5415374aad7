//! `coder provisioner keys`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use api_types::{CreateProvisionerKeyRequest, ProvisionerKey};
use clap::{Args as ClapArgs, Subcommand};

use crate::csv;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::prompt::confirm;
use crate::ui::time;

/// Manage keys for daemons on other machines.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Create a key and print it; it is shown this once.
    Create(CreateArgs),
    /// List keys.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Delete a key; its daemons lose their connection.
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
}

#[derive(ClapArgs)]
struct CreateArgs {
    /// Name of the key.
    name: String,

    /// Tags of jobs that its daemons take, as name=value; may be repeated.
    #[arg(
        short,
        long,
        env = "CODER_PROVISIONERD_TAGS",
        value_name = "name=value"
    )]
    tag: Vec<String>,

    #[command(flatten)]
    organization: OrganizationFlag,
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(flatten)]
    listing: Listing<Keys>,
}

#[derive(ClapArgs)]
struct DeleteArgs {
    /// Name of the key.
    name: String,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    organization: OrganizationFlag,
}

struct Keys;
impl Table for Keys {
    type Row = ProvisionerKey;
    const COLUMNS: &'static [Column<ProvisionerKey>] = &[
        Column::new("created at", |k| time::rfc3339(k.created_at)),
        Column::new("name", |k| k.name.clone()),
        Column::new("tags", |k| super::tags(&k.tags)),
    ];
    const DEFAULT: &'static [&'static str] = &["created at", "name", "tags"];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Create(args) => create(args, session).await,
        Sub::List(args) => list(args, session).await,
        Sub::Delete(args) => delete(args, session).await,
    }
}

async fn create(args: CreateArgs, session: &Session) -> Result<()> {
    let organization = args.organization.find(session).await?;
    let tags: BTreeMap<String, String> = csv::pairs(&args.tag)?.into_iter().collect();
    let request = CreateProvisionerKeyRequest {
        name: args.name.clone(),
        tags,
    };
    let made = session
        .client()?
        .provisioner_key_create(&organization.id.to_string(), &request)
        .await?;
    session.note(&format!(
        "Created provisioner key {}. Keep it: it cannot be shown again.\n",
        session.style_err.keyword(&args.name)
    ));
    say!("{}", made.key)
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let organization = args.organization.find(session).await?;
    let keys = session
        .client()?
        .provisioner_keys(&organization.id.to_string())
        .await?;
    if keys.is_empty() && args.listing.format() != Format::Json {
        session.note("No provisioner keys found.");
        return Ok(());
    }
    args.listing.print(&keys, &keys)
}

async fn delete(args: DeleteArgs, session: &Session) -> Result<()> {
    let organization = args.organization.find(session).await?;
    confirm(
        &format!("Delete provisioner key {:?}?", args.name),
        args.yes,
    )?;
    session
        .client()?
        .provisioner_key_delete(&organization.id.to_string(), &args.name)
        .await
        .with_context(|| format!("delete provisioner key {:?}", args.name))?;
    say!(
        "Successfully deleted provisioner key {}!",
        session.style.keyword(&args.name)
    )
}
