//! `coder templates presets`.

use anyhow::{Context, Result};
use api_types::Preset;
use clap::{Args as ClapArgs, Subcommand};

use super::super::lookup;
use crate::organization_flag::OrganizationFlag;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};

/// Show presets of templates.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List the presets of a template.
    #[command(visible_alias = "ls")]
    List(ListArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    /// The template.
    template: String,

    /// Version to look at; the active one when left out.
    #[arg(long, value_name = "name")]
    template_version: Option<String>,

    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(flatten)]
    listing: Listing<Presets>,
}

/// The table of presets.
struct Presets;

impl Table for Presets {
    type Row = Preset;
    const COLUMNS: &'static [Column<Preset>] = &[
        Column {
            name: "name",
            cell: |p| p.name.clone(),
        },
        Column {
            name: "description",
            cell: |p| p.description.clone(),
        },
        Column {
            name: "parameters",
            cell: |p| {
                p.parameters
                    .iter()
                    .map(|v| format!("{}={}", v.name, v.value))
                    .collect::<Vec<_>>()
                    .join(",")
            },
        },
        Column {
            name: "default",
            cell: |p| p.default.to_string(),
        },
        Column {
            name: "desired prebuild instances",
            cell: |p| {
                p.desired_prebuild_instances
                    .map_or("-".to_owned(), |n| n.to_string())
            },
        },
    ];
    const DEFAULT: &'static [&'static str] = &[
        "name",
        "description",
        "parameters",
        "default",
        "desired prebuild instances",
    ];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let Sub::List(args) = args.command;
    let client = session.client()?;
    let template = lookup::template(
        session,
        &args.template,
        args.organization.organization.as_deref(),
    )
    .await?;
    let version = match args.template_version.as_deref().filter(|v| !v.is_empty()) {
        Some(name) => {
            client
                .template_version_by_name(template.id, name)
                .await
                .context("find the version")?
                .id
        }
        None => template.active_version_id,
    };
    let presets = client.template_version_presets(version).await?;
    if presets.is_empty() && args.listing.format() != Format::Json {
        session.note(&format!(
            "No presets found for template {:?}.",
            template.name
        ));
        return Ok(());
    }
    let json: Vec<_> = presets
        .iter()
        .map(|p| serde_json::json!({ "template_preset": p }))
        .collect();
    args.listing.print(&presets, &json)
}
