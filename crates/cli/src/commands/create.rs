//! `coder create`.

use anyhow::{Context, Result, ensure};
use api_types::{
    AutomaticUpdates, CreateWorkspaceRequest, Template, TemplateVersionExternalAuth, Workspace,
    WorkspaceBuildParameter,
};
use clap::Args as ClapArgs;
use client::{Client, Target, TemplateQuery};
use uuid::Uuid;

use super::lookup;
use crate::failure::Advice;
use crate::follow;
use crate::parameters::{self, Action, Request, flags::ParameterFlags};
use crate::say;
use crate::schedule;
use crate::session::Session;
use crate::ui::prompt::{Question, confirm_default_yes};
use crate::ui::{select, time};

/// Create a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name of the new workspace; <owner>/<name> creates it for somebody else.
    #[arg(value_name = "workspace")]
    name: Option<String>,

    /// Template to use.
    #[arg(short, long, env = "CODER_TEMPLATE_NAME", value_name = "name")]
    template: Option<String>,

    /// Version of the template; the active one when left out.
    #[arg(long, env = "CODER_TEMPLATE_VERSION", value_name = "name")]
    template_version: Option<String>,

    /// Preset of parameter values, or none.
    #[arg(long, env = "CODER_PRESET_NAME", value_name = "name")]
    preset: Option<String>,

    /// When to start by itself, such as "9:30AM Mon-Fri Europe/Dublin".
    #[arg(long, env = "CODER_WORKSPACE_START_AT", value_name = "schedule")]
    start_at: Option<String>,

    /// After how long to stop by itself, such as 8h.
    #[arg(long, env = "CODER_WORKSPACE_STOP_AFTER", value_name = "duration", value_parser = time::duration_flag)]
    stop_after: Option<std::time::Duration>,

    /// Use the template's newest version with every start: always or never.
    #[arg(long, env = "CODER_WORKSPACE_AUTOMATIC_UPDATES", value_name = "when", default_value = "never", value_parser = ["always", "never"])]
    automatic_updates: String,

    /// Workspace whose template and parameter values to take.
    #[arg(
        long,
        env = "CODER_WORKSPACE_COPY_PARAMETERS_FROM",
        value_name = "workspace"
    )]
    copy_parameters_from: Option<String>,

    /// Do not wait for the build.
    #[arg(long, env = "CODER_CREATE_NO_WAIT")]
    no_wait: bool,

    /// Organization of the template.
    #[arg(
        short = 'O',
        long = "org",
        env = "CODER_ORGANIZATION",
        value_name = "name"
    )]
    organization: Option<String>,

    #[command(flatten)]
    parameters: ParameterFlags,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    /// Takes the template from this organization, unless the flags name another.
    pub fn in_organization(&mut self, name: Option<String>) {
        self.organization = self.organization.take().or(name);
    }
}

/// What the new workspace is made from.
struct Origin {
    template: Template,
    version: Uuid,
    source: Vec<WorkspaceBuildParameter>,
}

/// Creates a workspace and follows its first build.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    create(&args, session, false).await.map(drop)
}

/// Creates the workspace; `external` ones only from templates whose agents are started by hand.
pub async fn create(args: &Args, session: &Session, external: bool) -> Result<Workspace> {
    let client = session.client()?;
    let given = args.parameters.given()?;
    let autostart_schedule = args
        .start_at
        .as_ref()
        .filter(|s| !s.is_empty())
        .map(|s| schedule::parse(std::slice::from_ref(s)))
        .transpose()?;
    let (owner, name) = name_of(args)?;
    let (free, origin) = tokio::join!(is_free(client, &owner, &name), origin(args, session));
    free?;
    let origin = origin?;
    if external {
        let version = client.template_version(origin.version).await?;
        ensure!(
            version.has_external_agent,
            "the template {:?} has no external agent in its version {:?}; choose one whose agents are started by hand, or use 'coder create'",
            origin.template.name,
            version.name
        );
    }

    let (presets, auths, person) = tokio::join!(
        client.template_version_presets(origin.version),
        client.template_version_external_auth(origin.version),
        owner_id(client, &owner, &origin.template),
    );
    let presets = presets.context("read the template's presets")?;
    let preset =
        parameters::choose_preset(&presets, args.preset.as_deref(), session.interactive())?;
    if let Some(preset) = preset {
        say!("Preset {} applied:", session.style.keyword(&preset.name))?;
        for p in &preset.parameters {
            say!("  {}: '{}'", p.name, p.value)?;
        }
    }
    sign_in_elsewhere(session, origin.version, auths.unwrap_or_default()).await?;
    let values = parameters::resolve(
        session,
        &Request {
            action: Action::Create,
            version: origin.version,
            owner: person,
            classic: origin.template.use_classic_parameter_flow,
            given: &given,
            preset,
            source: &origin.source,
            last: &[],
            yes: args.yes,
        },
    )
    .await?;
    if !args.yes {
        let resources = client
            .template_version_resources(origin.version)
            .await
            .context("read the template's resources")?;
        super::resources::print(session, &resources)?;
        confirm_default_yes("Confirm create?", false)?;
    }
    let request = CreateWorkspaceRequest {
        template_version_id: Some(origin.version),
        name,
        autostart_schedule,
        ttl_ms: args
            .stop_after
            .map(|d| i64::try_from(d.as_millis()))
            .transpose()
            .context("--stop-after")?,
        rich_parameter_values: values,
        automatic_updates: AutomaticUpdates::from(args.automatic_updates.as_str()),
        template_version_preset_id: preset.map(|p| p.id),
        ..CreateWorkspaceRequest::default()
    };
    let workspace = client.workspace_create(&owner, &request).await?;
    finish(args, session, &workspace).await?;
    Ok(workspace)
}

async fn finish(args: &Args, session: &Session, workspace: &Workspace) -> Result<()> {
    let name = session.style.keyword(&workspace.name);
    if args.no_wait {
        return say!("\nThe {name} workspace is being created in the background.");
    }
    follow::job::build(session, &workspace.latest_build).await?;
    say!(
        "\nThe {name} workspace has been created at {}!",
        time::stamp(chrono::Utc::now())
    )
}

fn name_of(args: &Args) -> Result<(String, String)> {
    if let Some(argument) = &args.name {
        let target = Target::workspace(argument)?;
        return Ok((target.owner, target.workspace));
    }
    let name = Question::new("Specify a name for your workspace:")
        .ask(|answer| Ok(Target::workspace(answer).map(drop)?))?;
    let target = Target::workspace(&name)?;
    Ok((target.owner, target.workspace))
}

async fn is_free(client: &Client, owner: &str, name: &str) -> Result<()> {
    match client.workspace_by_name(owner, name).await {
        Ok(_) => Err(Advice::error(
            format!("a workspace named {name:?} already exists"),
            format!("Choose another name, or see it with 'coder show {name}'."),
        )),
        Err(e) if e.is_not_found() => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// The owner's id, on which dynamic parameters may depend. One who may not
/// read the owner leaves it to the server.
async fn owner_id(client: &Client, owner: &str, template: &Template) -> Option<Uuid> {
    if template.use_classic_parameter_flow {
        return None;
    }
    client.user(owner).await.ok().map(|u| u.id)
}

async fn origin(args: &Args, session: &Session) -> Result<Origin> {
    let client = session.client()?;
    let mut origin = match args
        .copy_parameters_from
        .as_deref()
        .filter(|s| !s.is_empty())
    {
        Some(source) => {
            let source = lookup::workspace(client, source).await?;
            say!(
                "The template is {:?}, as in {:?}.",
                source.template_name,
                source.name
            )?;
            let (template, values) = tokio::join!(
                client.template(source.template_id),
                client.build_parameters(source.latest_build.id)
            );
            Origin {
                template: template?,
                version: source.latest_build.template_version_id,
                source: values?,
            }
        }
        None => {
            let template = match args.template.as_deref().filter(|t| !t.is_empty()) {
                Some(name) => lookup::template(session, name, args.organization.as_deref()).await?,
                None => choose_template(session, args.organization.as_deref()).await?,
            };
            Origin {
                version: template.active_version_id,
                template,
                source: Vec::new(),
            }
        }
    };
    if let Some(version) = args.template_version.as_deref().filter(|v| !v.is_empty()) {
        let version = client
            .template_version_by_name(origin.template.id, version)
            .await;
        origin.version = version.context("find the template version")?.id;
    }
    Ok(origin)
}

async fn choose_template(session: &Session, organization: Option<&str>) -> Result<Template> {
    let mut templates = session
        .client()?
        .templates(&TemplateQuery::default())
        .await?;
    if let Some(wanted) = organization.filter(|o| !o.is_empty()) {
        templates
            .retain(|t| t.organization_name == wanted || t.organization_id.to_string() == wanted);
    }
    templates.sort_by_key(|t| std::cmp::Reverse(t.active_user_count));
    ensure!(
        !templates.is_empty(),
        "there are no templates that you may use; an administrator makes them with 'coder templates push'"
    );
    let options: Vec<String> = templates.iter().map(|t| t.name.clone()).collect();
    let chosen = select::select("Select a template:", &options, 0)?;
    Ok(templates.swap_remove(chosen))
}

/// Waits until the person has signed in wherever the template needs it.
async fn sign_in_elsewhere(
    session: &Session,
    version: Uuid,
    mut auths: Vec<TemplateVersionExternalAuth>,
) -> Result<()> {
    /// Between questions whether the sign-in has happened.
    const POLL: std::time::Duration = std::time::Duration::from_secs(1);
    let pending = |auths: &[TemplateVersionExternalAuth]| {
        auths
            .iter()
            .find(|a| !a.authenticated && !a.optional)
            .cloned()
    };
    let mut shown = String::new();
    while let Some(auth) = pending(&auths) {
        if shown != auth.id {
            say!(
                "You must authenticate with {} to create a workspace with this template. Visit:\n\n\t{}\n",
                auth.display_name,
                auth.authenticate_url
            )?;
            shown.clone_from(&auth.id);
        }
        tokio::time::sleep(POLL).await;
        auths = session
            .client()?
            .template_version_external_auth(version)
            .await?;
    }
    Ok(())
}
