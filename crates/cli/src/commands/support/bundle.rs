//! `coder support bundle`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use api_types::Template;
use clap::Args as ClapArgs;
use client::TemplateQuery;

use super::collect;
use super::gather::Gathered;
use crate::commands::lookup;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// Write a file with everything about a deployment, a workspace and the network between.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace that has the problem; the one that this runs in when left out.
    workspace: Option<String>,

    /// Its agent, where it has several.
    agent: Option<String>,

    /// File to write; coder-support-<time>.zip when left out.
    #[arg(
        short = 'O',
        long,
        env = "CODER_SUPPORT_BUNDLE_OUTPUT_FILE",
        value_name = "file"
    )]
    output_file: Option<PathBuf>,

    /// Address to ask in place of the deployment's, such as that of one replica.
    #[arg(long, env = "CODER_SUPPORT_BUNDLE_URL_OVERRIDE", value_name = "url")]
    url_override: Option<String>,

    /// At most so many workspaces in the list of the deployment's; 0 is all.
    #[arg(
        long,
        env = "CODER_SUPPORT_BUNDLE_WORKSPACES_TOTAL_CAP",
        value_name = "number",
        default_value_t = 10,
        allow_negative_numbers = true
    )]
    workspaces_total_cap: i64,

    /// Template to include: its name, or organization/name.
    #[arg(long, env = "CODER_SUPPORT_BUNDLE_TEMPLATE", value_name = "template")]
    template: Option<String>,

    /// File or pattern inside the workspace to include; absolute or beginning with ~/; may be repeated.
    #[arg(long, env = "CODER_SUPPORT_BUNDLE_WORKSPACE_FILE", value_name = "path")]
    workspace_file: Vec<String>,

    /// Profile the server too, where it can be profiled.
    #[arg(long, env = "CODER_SUPPORT_BUNDLE_PPROF")]
    pprof: bool,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Collects and writes.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    confirm_default_yes(&blurb(&args), args.yes)?;
    let session = &elsewhere(session, args.url_override.as_deref())?;
    let client = session.client()?;
    let mut gathered = Gathered::new(client.token().expose());
    gathered.note(&format!("coder {}", api_types::VERSION));
    let (named, agent_name) = named(&args, session);
    let workspace = match &named {
        Some(name) => Some(
            lookup::workspace(client, name)
                .await
                .with_context(|| format!("find workspace {name:?}"))?,
        ),
        None => {
            session.note(&session.style_err.warn(
                "No workspace was named: the bundle tells of the deployment and the network only.",
            ));
            None
        }
    };
    let path = args.output_file.clone().unwrap_or_else(|| {
        let now = chrono::Utc::now().timestamp();
        format!("coder-support-{now}.zip").into()
    });
    let file = private(&path).with_context(|| format!("cannot write {}", path.display()))?;
    session.note("Collecting about the deployment...");
    collect::deployment(&mut gathered, client, args.workspaces_total_cap).await;
    session.note("Collecting about the network...");
    collect::network(&mut gathered, session).await;
    if let Some(workspace) = &workspace {
        session.note(&format!(
            "Collecting about workspace {:?}...",
            workspace.name
        ));
        collect::about_workspace(&mut gathered, client, workspace).await;
        match lookup::agent(workspace, agent_name.as_deref()) {
            Ok(agent) => {
                collect::about_agent(&mut gathered, session, agent, &args.workspace_file).await;
            }
            Err(error) => gathered.note(&format!("agent: {error:#}")),
        }
    }
    if let Some(name) = args.template.as_deref().filter(|t| !t.is_empty()) {
        match template(session, name).await {
            Ok(found) => {
                let folder = format!("templates/{}", found.name);
                collect::about_template(
                    &mut gathered,
                    client,
                    &found,
                    found.active_version_id,
                    &folder,
                )
                .await;
            }
            Err(error) => gathered.note(&format!("template {name:?}: {error:#}")),
        }
    }
    if args.pprof {
        session.note(&format!(
            "Profiling the server for {} seconds...",
            collect::PROFILE_SECONDS
        ));
        collect::profiles(&mut gathered, client).await;
    }
    let count = gathered.len();
    gathered
        .into_zip(file)
        .with_context(|| format!("cannot write {}", path.display()))?;
    say!("Wrote {count} files to {}", path.display())
}

fn blurb(args: &Args) -> String {
    let files = args
        .workspace_file
        .iter()
        .fold(String::new(), |mut out, p| {
            let _ = writeln!(out, "  - files of the workspace: {p}");
            out
        });
    format!(
        "This collects into one file:\n\
         \x20 - version, settings (without secrets), health and statistics of the deployment\n\
         \x20 - the list of workspaces that you may see, at most {}\n\
         \x20 - relays, network interfaces, and what this machine measures of them\n\
         \x20 - the workspace, its build and its template, with source code and logs\n\
         \x20 - its agent with logs, metrics and network (environment variables are taken out)\n\
         {files}\
         Secrets are taken out as far as they are known to be secrets. Look through the file before \
         you give it to others, and give it only to those you trust.\n\
         Collect it?",
        args.workspaces_total_cap
    )
}

/// The same session at another address of the deployment.
fn elsewhere(session: &Session, url: Option<&str>) -> Result<Session> {
    let mut globals = session.globals.clone();
    if let Some(url) = url.filter(|u| !u.is_empty()) {
        globals.url = Some(url.to_owned());
        session.note(&format!(
            "Asking {url}: results may differ from the deployment's."
        ));
    }
    Session::new(globals, session.command.clone())
}

/// The workspace and agent to look at.
fn named(args: &Args, session: &Session) -> (Option<String>, Option<String>) {
    if args.workspace.is_some() {
        return (args.workspace.clone(), args.agent.clone());
    }
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    if var("CODER").as_deref() != Some("true") {
        return (None, None);
    }
    session.note(&session.style_err.warn(
        "Running inside a workspace: what is measured here may differ from your own machine.",
    ));
    let by_name = || {
        Some(format!(
            "{}/{}",
            var("CODER_WORKSPACE_OWNER_NAME")?,
            var("CODER_WORKSPACE_NAME")?
        ))
    };
    (
        var("CODER_WORKSPACE_ID").or_else(by_name),
        var("CODER_WORKSPACE_AGENT_NAME"),
    )
}

/// A file that its owner alone may read.
fn private(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // One that was there keeps its mode otherwise; pipes and devices are not ours.
    if file.metadata()?.is_file() {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// The template called `name`, or `organization/name`.
async fn template(session: &Session, name: &str) -> Result<Template> {
    match name.split_once('/') {
        Some((organization, name)) => lookup::template(session, name, Some(organization)).await,
        None => match lookup::template(session, name, None).await {
            Ok(found) => Ok(found),
            // People see display names.
            Err(error) => {
                let all = session
                    .client()?
                    .templates(&TemplateQuery::default())
                    .await?;
                all.into_iter()
                    .find(|t| t.display_name.eq_ignore_ascii_case(name))
                    .ok_or(error)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_that_was_open_to_others_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle.zip");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let found = super::private(&path).unwrap().metadata().unwrap();
        assert_eq!(
            (found.permissions().mode() & 0o777, found.len()),
            (0o600, 0)
        );
    }
}
