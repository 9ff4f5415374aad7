//! `coder templates archive`.

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use client::TemplateQuery;

use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// Archive versions that failed to import, or with --all every version that nothing uses.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Templates to tidy; all of the organization when left out.
    names: Vec<String>,

    /// Every version that is not used, not failed ones alone.
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    organization: OrganizationFlag,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Archives the versions of each template.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let organization = session
        .organization(args.organization.organization.as_deref())
        .await?;
    let mut templates = Vec::new();
    if args.names.is_empty() {
        templates = client.templates(&TemplateQuery::default()).await?;
        templates.retain(|t| t.organization_id == organization.id);
    }
    for name in &args.names {
        templates.push(
            client
                .template_by_name(organization.id, name)
                .await
                .with_context(|| format!("find template {name:?}"))?,
        );
    }
    let names: Vec<&str> = templates.iter().map(|t| t.name.as_str()).collect();
    confirm_default_yes(
        &format!(
            "Archive template versions of these templates: {}?",
            names.join(", ")
        ),
        args.yes,
    )?;
    for template in &templates {
        let archived = client
            .template_archive_unused(template.id, args.all)
            .await?;
        say!(
            "Archived {} versions from {}",
            archived.archived_ids.len(),
            session.style.keyword(&template.name)
        )?;
    }
    Ok(())
}
