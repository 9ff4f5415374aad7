//! `coder templates push`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use api_types::{CreateTemplateRequest, Template};
use chrono::Utc;
use clap::Args as ClapArgs;

use super::import::{self, Import};
use super::source::{Source, SourceFlags};
use super::variables::VariableFlags;
use crate::csv;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::time;

/// Create or update a template from a directory.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name of the template; that of its directory when left out.
    template: Option<String>,

    #[command(flatten)]
    source: SourceFlags,

    #[command(flatten)]
    variables: VariableFlags,

    /// Name of the new version; made up when left out.
    #[arg(long, value_name = "name")]
    name: Option<String>,

    /// Which provisioner daemons to use, as key=value; - removes all tags. Kept from the active version when left out.
    #[arg(long, value_name = "key=value")]
    provisioner_tag: Vec<String>,

    /// Make the new version the active one.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    activate: bool,

    /// Ask for every variable instead of keeping the values of the active version.
    #[arg(long)]
    always_prompt: bool,

    #[command(flatten)]
    organization: OrganizationFlag,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Uploads, imports, and creates or updates the template.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let name = match args.template.clone().filter(|n| !n.is_empty()) {
        Some(name) => name,
        None => args.source.default_name(session.interactive())?,
    };
    let organization = session
        .organization(args.organization.organization.as_deref())
        .await?;
    let template = match client.template_by_name(organization.id, &name).await {
        Ok(template) => Some(template),
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e).context("find the template"),
    };
    let tags = tags(&args, session, template.as_ref()).await?;
    let directory = match args.source.source(session.interactive()) {
        Source::Directory(dir) => Some(dir),
        Source::Stdin => None,
    };
    let import = Import {
        organization: organization.id,
        template: template.as_ref(),
        archive: args.source.archive(session, args.yes)?,
        name: args.name.clone().unwrap_or_default(),
        message: args.source.message(session),
        tags,
        variables: args.variables.values(directory.as_deref())?,
        always_prompt: args.always_prompt,
    };
    let version = import::run(session, import).await?;
    match template {
        None => {
            let request = CreateTemplateRequest {
                name: name.clone(),
                template_version_id: version.id,
                ..CreateTemplateRequest::default()
            };
            client
                .template_create(organization.id, &request)
                .await
                .context("create the template")?;
            say!(
                "\nThe {} template has been created at {}! Developers can provision a workspace with this template using:\n\n  {}\n",
                session.style.keyword(&name),
                time::stamp(Utc::now()),
                session.style.code(&format!(
                    "coder create --template={name:?} [workspace name]"
                ))
            )?;
        }
        Some(template) if args.activate => client
            .template_promote(template.id, version.id)
            .await
            .context("activate the version")?,
        Some(_) => {}
    }
    say!("Updated version at {}!", time::stamp(Utc::now()))
}

async fn tags(
    args: &Args,
    session: &Session,
    template: Option<&Template>,
) -> Result<BTreeMap<String, String>> {
    if let [only] = args.provisioner_tag.as_slice()
        && only.trim() == "-"
    {
        return Ok(BTreeMap::new());
    }
    let given: BTreeMap<_, _> = csv::pairs(&args.provisioner_tag)
        .context("--provisioner-tag")?
        .into_iter()
        .collect();
    let Some(template) = template.filter(|_| given.is_empty()) else {
        return Ok(given);
    };
    Ok(session
        .client()?
        .template_version(template.active_version_id)
        .await
        .context("read the active version")?
        .job
        .tags)
}
