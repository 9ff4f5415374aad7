//! `coder templates delete`.

use anyhow::{Context, Result, ensure};
use api_types::Template;
use chrono::Utc;
use clap::Args as ClapArgs;
use client::TemplateQuery;

use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm;
use crate::ui::{select, time};

/// Delete templates that no workspace uses.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Templates to delete; chosen from a list when left out.
    names: Vec<String>,

    #[command(flatten)]
    organization: OrganizationFlag,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Deletes them one after the other.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let organization = session
        .organization(args.organization.organization.as_deref())
        .await?;
    let mut chosen: Vec<Template> = Vec::new();
    for name in &args.names {
        chosen.push(
            client
                .template_by_name(organization.id, name)
                .await
                .with_context(|| format!("find template {name:?}"))?,
        );
    }
    if chosen.is_empty() {
        let mut all = client.templates(&TemplateQuery::default()).await?;
        all.retain(|t| t.organization_id == organization.id);
        ensure!(
            !all.is_empty(),
            "there are no templates in {:?}",
            organization.name
        );
        let names: Vec<String> = all.iter().map(|t| t.name.clone()).collect();
        chosen.push(all.swap_remove(select::select("Select a template to delete:", &names, 0)?));
    }
    let names: Vec<&str> = chosen.iter().map(|t| t.name.as_str()).collect();
    confirm(
        &format!("Delete these templates: {}?", names.join(", ")),
        args.yes,
    )?;
    for template in &chosen {
        client
            .template_delete(template.id)
            .await
            .with_context(|| format!("delete template {:?}", template.name))?;
        say!(
            "Deleted template {} at {}!",
            session.style.keyword(&template.name),
            time::stamp(Utc::now())
        )?;
    }
    Ok(())
}
