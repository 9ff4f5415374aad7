//! `coder templates create`, the former way to make a template.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use api_types::CreateTemplateRequest;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::import::{self, Import};
use super::source::{Source, SourceFlags};
use super::variables::VariableFlags;
use crate::csv;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;
use crate::ui::time;

/// Create a template from a directory (former way; use push and edit).
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name of the template; that of its directory when left out.
    name: Option<String>,

    #[command(flatten)]
    source: SourceFlags,

    #[command(flatten)]
    variables: VariableFlags,

    /// Which provisioner daemons to use, as key=value.
    #[arg(long, value_name = "key=value")]
    provisioner_tag: Vec<String>,

    /// Time after which workspaces stop by themselves; 0 is never.
    #[arg(long, value_name = "duration", default_value = "0", value_parser = time::duration_flag)]
    default_ttl: Duration,

    /// Time after which a failed start is cleaned up; 0 is never.
    #[arg(long, value_name = "duration", default_value = "0", value_parser = time::duration_flag)]
    failure_ttl: Duration,

    /// Time without use after which a workspace becomes dormant; 0 is never.
    #[arg(long, value_name = "duration", default_value = "0", value_parser = time::duration_flag)]
    dormancy_threshold: Duration,

    /// Time after which a dormant workspace is deleted; 0 is never.
    #[arg(long, value_name = "duration", default_value = "0", value_parser = time::duration_flag)]
    dormancy_auto_deletion: Duration,

    /// Let AI agents create workspaces with this template.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    agents_allowed: bool,

    /// Let nobody use the template who is not given access.
    #[arg(long)]
    private: bool,

    /// Workspaces must use the active version.
    #[arg(long)]
    require_active_version: bool,

    #[command(flatten)]
    organization: OrganizationFlag,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Uploads, imports and creates.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    session.note(&session.style_err.warn("'templates create' is the former way: use 'templates push', and 'templates edit' for settings."));
    let name = match args.name.clone().filter(|n| !n.is_empty()) {
        Some(name) => name,
        None => args.source.default_name(session.interactive())?,
    };
    let organization = session
        .organization(args.organization.organization.as_deref())
        .await?;
    match client.template_by_name(organization.id, &name).await {
        Ok(_) => bail!(
            "a template named {name:?} already exists; 'coder templates push {name}' gives it a new version"
        ),
        Err(e) if e.is_not_found() => {}
        Err(e) => return Err(e).context("look for a template of that name"),
    }
    let directory = match args.source.source(session.interactive()) {
        Source::Directory(dir) => Some(dir),
        Source::Stdin => None,
    };
    let import = Import {
        organization: organization.id,
        template: None,
        archive: args.source.archive(session, args.yes)?,
        name: String::new(),
        message: args.source.message(session),
        tags: csv::pairs(&args.provisioner_tag)
            .context("--provisioner-tag")?
            .into_iter()
            .collect(),
        variables: args.variables.values(directory.as_deref())?,
        always_prompt: false,
    };
    let version = import::run(session, import).await?;
    confirm_default_yes("Confirm create?", args.yes)?;
    let ms = |d: Duration| i64::try_from(d.as_millis()).ok().filter(|ms| *ms > 0);
    let request = CreateTemplateRequest {
        name: name.clone(),
        template_version_id: version.id,
        default_ttl_ms: ms(args.default_ttl),
        failure_ttl_ms: ms(args.failure_ttl),
        dormant_ttl_ms: ms(args.dormancy_threshold),
        delete_ttl_ms: ms(args.dormancy_auto_deletion),
        disable_everyone_group_access: args.private,
        require_active_version: args.require_active_version,
        agents_allowed: Some(args.agents_allowed),
        ..CreateTemplateRequest::default()
    };
    client
        .template_create(organization.id, &request)
        .await
        .context("create the template")?;
    say!(
        "\nThe {} template has been created at {}!",
        session.style.keyword(&name),
        time::stamp(Utc::now())
    )
}
