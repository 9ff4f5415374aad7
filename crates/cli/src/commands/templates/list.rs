//! `coder templates list`.

use anyhow::Result;
use api_types::Template;
use clap::Args as ClapArgs;
use client::TemplateQuery;
use serde_json::json;

use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::time;

/// List templates.
#[derive(ClapArgs)]
pub struct Args {
    #[command(flatten)]
    listing: Listing<Templates>,
}

/// The table of templates.
pub struct Templates;

impl Table for Templates {
    type Row = Template;
    const COLUMNS: &'static [Column<Template>] = &[
        Column {
            name: "name",
            cell: |t| t.name.clone(),
        },
        Column {
            name: "created at",
            cell: |t| time::rfc3339(t.created_at),
        },
        Column {
            name: "last updated",
            cell: |t| t.updated_at.format("%B %-d, %Y").to_string(),
        },
        Column {
            name: "organization id",
            cell: |t| t.organization_id.to_string(),
        },
        Column {
            name: "organization name",
            cell: |t| t.organization_name.clone(),
        },
        Column {
            name: "provisioner",
            cell: |t| t.provisioner.to_string(),
        },
        Column {
            name: "active version id",
            cell: |t| t.active_version_id.to_string(),
        },
        Column {
            name: "used by",
            cell: used_by,
        },
        Column {
            name: "default ttl",
            cell: |t| time::coarse(chrono::TimeDelta::milliseconds(t.default_ttl_ms)),
        },
    ];
    const DEFAULT: &'static [&'static str] =
        &["name", "organization name", "last updated", "used by"];
}

fn used_by(t: &Template) -> String {
    match t.active_user_count {
        1 => "1 active developer".to_owned(),
        n if n >= 0 => format!("{n} active developers"),
        // Not counted yet.
        _ => "unknown".to_owned(),
    }
}

/// Prints the templates.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let found = session
        .client()?
        .templates(&TemplateQuery::default())
        .await?;
    if found.is_empty() && args.listing.format() != Format::Json {
        session.note(&format!(
            "No templates found! Create one:\n\n  {}\n",
            session.style_err.code("coder templates push <directory>")
        ));
        return Ok(());
    }
    // Scripts of the original's users read each template under this key.
    let wrapped: Vec<_> = found.iter().map(|t| json!({ "Template": t })).collect();
    args.listing.print(&found, &wrapped)
}
