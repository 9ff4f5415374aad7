//! `coder templates versions`.

use anyhow::{Context, Result};
use api_types::{ProvisionerJobStatus, TemplateVersion};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use super::super::lookup;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::prompt::confirm_default_yes;
use crate::ui::time;

/// Manage versions of templates.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List the versions of a template.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Make a version the active one.
    Promote(PromoteArgs),
    /// Hide versions.
    Archive(ArchiveArgs),
    /// Show hidden versions again.
    Unarchive(ArchiveArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    /// The template.
    template: String,

    /// Archived versions too.
    #[arg(long)]
    include_archived: bool,

    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(flatten)]
    listing: Listing<Versions>,
}

#[derive(ClapArgs)]
struct PromoteArgs {
    /// The template.
    #[arg(short, long, env = "CODER_TEMPLATE_NAME", value_name = "name")]
    template: String,

    /// The version.
    #[arg(long, env = "CODER_TEMPLATE_VERSION_NAME", value_name = "name")]
    template_version: String,

    #[command(flatten)]
    organization: OrganizationFlag,
}

#[derive(ClapArgs)]
struct ArchiveArgs {
    /// The template.
    template: String,

    /// The versions.
    #[arg(required = true)]
    versions: Vec<String>,

    #[command(flatten)]
    organization: OrganizationFlag,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// A version and whether it is the active one.
struct Row {
    version: TemplateVersion,
    active: bool,
}

/// The table of versions.
struct Versions;

impl Table for Versions {
    type Row = Row;
    const COLUMNS: &'static [Column<Row>] = &[
        Column {
            name: "id",
            cell: |r| r.version.id.to_string(),
        },
        Column {
            name: "name",
            cell: |r| r.version.name.clone(),
        },
        Column {
            name: "created at",
            cell: |r| time::rfc3339(r.version.created_at),
        },
        Column {
            name: "created by",
            cell: |r| r.version.created_by.username.clone(),
        },
        Column {
            name: "status",
            cell: status,
        },
        Column {
            name: "active",
            cell: |r| {
                if r.active {
                    "Active".to_owned()
                } else {
                    String::new()
                }
            },
        },
        Column {
            name: "archived",
            cell: |r| r.version.archived.to_string(),
        },
    ];
    const DEFAULT: &'static [&'static str] =
        &["name", "created at", "created by", "status", "active"];
    /// Newest first.
    const SORTED: bool = false;
}

fn status(row: &Row) -> String {
    match &row.version.job.status {
        ProvisionerJobStatus::Succeeded => "Succeeded".to_owned(),
        ProvisionerJobStatus::Failed => "Failed".to_owned(),
        ProvisionerJobStatus::Running => "Running".to_owned(),
        ProvisionerJobStatus::Pending => "Pending".to_owned(),
        ProvisionerJobStatus::Canceled => "Canceled".to_owned(),
        other => other.to_string(),
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::List(args) => list(args, session).await,
        Sub::Promote(args) => promote(args, session).await,
        Sub::Archive(args) => archive(args, session, true).await,
        Sub::Unarchive(args) => archive(args, session, false).await,
    }
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let template = lookup::template(
        session,
        &args.template,
        args.organization.organization.as_deref(),
    )
    .await?;
    let mut versions = client
        .template_versions(template.id, args.include_archived)
        .await?;
    versions.sort_by_key(|v| std::cmp::Reverse(v.created_at));
    let rows: Vec<Row> = versions
        .into_iter()
        .map(|version| Row {
            active: version.id == template.active_version_id,
            version,
        })
        .collect();
    if rows.is_empty() && args.listing.format() != Format::Json {
        session.note("No template versions found.");
        return Ok(());
    }
    let json: Vec<_> = rows
        .iter()
        .map(|r| json!({ "TemplateVersion": r.version, "active": r.active }))
        .collect();
    args.listing.print(&rows, &json)
}

async fn promote(args: PromoteArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let template = lookup::template(
        session,
        &args.template,
        args.organization.organization.as_deref(),
    )
    .await?;
    let version = client
        .template_version_by_name(template.id, &args.template_version)
        .await
        .context("find the version")?;
    client.template_promote(template.id, version.id).await?;
    say!(
        "Successfully promoted version {:?} to active for template {:?}",
        version.name,
        template.name
    )
}

async fn archive(args: ArchiveArgs, session: &Session, hide: bool) -> Result<()> {
    let client = session.client()?;
    let template = lookup::template(
        session,
        &args.template,
        args.organization.organization.as_deref(),
    )
    .await?;
    let (verb, done) = if hide {
        ("Archive", "archived")
    } else {
        ("Unarchive", "unarchived")
    };
    confirm_default_yes(
        &format!(
            "{verb} these versions of {:?}: {}?",
            template.name,
            args.versions.join(", ")
        ),
        args.yes,
    )?;
    for name in &args.versions {
        let version = client
            .template_version_by_name(template.id, name)
            .await
            .with_context(|| format!("find version {name:?}"))?;
        if version.archived == hide {
            say!("Version {name:?} is {done} already.")?;
            continue;
        }
        if hide {
            client.template_version_archive(version.id).await?;
        } else {
            client.template_version_unarchive(version.id).await?;
        }
        say!("Version {name:?} {done}.")?;
    }
    Ok(())
}
