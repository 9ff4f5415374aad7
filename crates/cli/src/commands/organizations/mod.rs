//! `coder organizations`: who works together, and who may do what there.

mod members;
mod roles;
mod settings;

use anyhow::{Context, Result};
use api_types::{CreateOrganizationRequest, Organization};
use clap::{Args as ClapArgs, Subcommand};

use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::prompt::confirm_default_yes;
use crate::ui::time;

/// Manage organizations, their members and their roles.
#[derive(ClapArgs)]
pub struct Args {
    /// Organization to use.
    #[arg(
        short = 'O',
        long = "org",
        global = true,
        env = "CODER_ORGANIZATION",
        value_name = "name"
    )]
    organization: Option<String>,

    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Show an organization.
    Show(ShowArgs),
    /// List organizations that you belong to.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Create an organization.
    Create(NameArgs),
    /// Delete an organization.
    #[command(visible_alias = "rm")]
    Delete(NameArgs),
    /// Manage members.
    #[command(visible_alias = "member")]
    Members(members::Args),
    /// Manage the roles of members.
    #[command(visible_alias = "role")]
    Roles(roles::Args),
    /// Show and change settings.
    #[command(visible_alias = "setting")]
    Settings(settings::Args),
}

#[derive(ClapArgs)]
struct ShowArgs {
    /// Which: selected, me for all of yours, a name or an id.
    #[arg(default_value = "selected")]
    which: String,

    /// Print the id alone.
    #[arg(long)]
    only_id: bool,

    #[command(flatten)]
    listing: Listing<Shown>,
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    listing: Listing<Listed>,
}

#[derive(ClapArgs)]
struct NameArgs {
    /// Name of the organization.
    name: String,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

const CELLS: &[Column<Organization>] = &[
    Column::new("id", |o| o.id.to_string()),
    Column::new("name", |o| o.name.clone()),
    Column::new("display name", |o| o.display_name.clone()),
    Column::new("icon", |o| o.icon.clone()),
    Column::new("description", |o| o.description.clone()),
    Column::new("created at", |o| time::rfc3339(o.created_at)),
    Column::new("updated at", |o| time::rfc3339(o.updated_at)),
    Column::new("default", |o| o.is_default.to_string()),
    Column::new("default org member roles", |o| {
        o.default_org_member_roles.join(", ")
    }),
];

struct Shown;
impl Table for Shown {
    type Row = Organization;
    const COLUMNS: &'static [Column<Organization>] = CELLS;
    const DEFAULT: &'static [&'static str] = &["id", "name", "default"];
    const TEXT: bool = true;
}

struct Listed;
impl Table for Listed {
    type Row = Organization;
    const COLUMNS: &'static [Column<Organization>] = CELLS;
    const DEFAULT: &'static [&'static str] = &["name", "display name", "id", "default"];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let asked = args.organization.as_deref();
    match args.command {
        Sub::Show(args) => show(args, session, asked).await,
        Sub::List(args) => {
            let mine = session.client()?.user_organizations("me").await?;
            args.listing.print(&mine, &mine)
        }
        Sub::Create(args) => create(args, session).await,
        Sub::Delete(args) => delete(args, session).await,
        Sub::Members(args) => members::run(args, session, asked).await,
        Sub::Roles(args) => roles::run(args, session, asked).await,
        Sub::Settings(args) => settings::run(args, session, asked).await,
    }
}

async fn show(args: ShowArgs, session: &Session, asked: Option<&str>) -> Result<()> {
    let client = session.client()?;
    let (found, what) = match args.which.as_str() {
        "selected" => (
            vec![session.organization(asked).await?],
            "Current CLI Organization",
        ),
        "me" => (client.user_organizations("me").await?, "Organizations"),
        name => {
            let found = client
                .organization(name)
                .await
                .with_context(|| format!("find organization {name:?}"))?;
            (vec![found], "Organization")
        }
    };
    if args.only_id {
        for organization in &found {
            say!("{}", organization.id)?;
        }
        return Ok(());
    }
    if args.listing.format() == Format::Text {
        let shown: Vec<String> = found
            .iter()
            .map(|o| format!("{} ({})", session.style.keyword(&o.name), o.id))
            .collect();
        return say!("{what}: {}", shown.join(", "));
    }
    args.listing.print(&found, &found)
}

async fn create(args: NameArgs, session: &Session) -> Result<()> {
    confirm_default_yes(&format!("Create organization {:?}?", args.name), args.yes)?;
    let request = CreateOrganizationRequest {
        name: args.name,
        ..CreateOrganizationRequest::default()
    };
    let made = session.client()?.organization_create(&request).await?;
    say!(
        "Organization {} ({}) created.",
        session.style.keyword(&made.name),
        made.id
    )
}

async fn delete(args: NameArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let found = client
        .organization(&args.name)
        .await
        .with_context(|| format!("find organization {:?}", args.name))?;
    confirm_default_yes(
        &format!("Delete organization {:?} and everything in it?", found.name),
        args.yes,
    )?;
    client.organization_delete(&found.id.to_string()).await?;
    say!(
        "Organization {} ({}) deleted.",
        session.style.keyword(&found.name),
        found.id
    )
}
