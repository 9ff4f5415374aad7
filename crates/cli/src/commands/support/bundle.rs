//! `coder support bundle`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use api_types::{Template, Workspace, WorkspaceAgent};
use clap::Args as ClapArgs;
use client::{Client, TemplateQuery};
use http::Method;
use serde_json::{Value, json};

use super::gather::Gathered;
use super::workspace_files;
use crate::commands::lookup;
use crate::connect::link::{self, Link};
use crate::connect::netcheck;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// The largest text that one part of a deployment may give.
const MAX_TEXT: usize = 64 << 20;
/// An agent that can be reached at all answers within this.
const REACH: Duration = Duration::from_secs(15);
/// How long the server is profiled.
const PROFILE_SECONDS: u32 = 10;
/// Parts of a deployment, by name and place in the API.
const DEPLOYMENT: [(&str, &str); 7] = [
    ("buildinfo.json", "/api/v2/buildinfo"),
    ("config.json", "/api/v2/deployment/config"),
    ("entitlements.json", "/api/v2/entitlements"),
    ("experiments.json", "/api/v2/experiments"),
    ("health.json", "/api/v2/debug/health"),
    ("health_settings.json", "/api/v2/debug/health/settings"),
    ("stats.json", "/api/v2/deployment/stats"),
];
/// Profiles of a server, by name and place in the API.
const PROFILES: [&str; 6] = [
    "heap",
    "allocs",
    "goroutine",
    "block",
    "mutex",
    "threadcreate",
];

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
    deployment(&mut gathered, client, &args).await;
    session.note("Collecting about the network...");
    network(&mut gathered, session).await;
    if let Some(workspace) = &workspace {
        session.note(&format!(
            "Collecting about workspace {:?}...",
            workspace.name
        ));
        about_workspace(&mut gathered, client, workspace).await;
        match lookup::agent(workspace, agent_name.as_deref()) {
            Ok(agent) => about_agent(&mut gathered, session, agent, &args).await,
            Err(error) => gathered.note(&format!("agent: {error:#}")),
        }
    }
    if let Some(name) = args.template.as_deref().filter(|t| !t.is_empty()) {
        match template(session, name).await {
            Ok(found) => {
                let folder = format!("templates/{}", found.name);
                about_template(
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
            "Profiling the server for {PROFILE_SECONDS} seconds..."
        ));
        profiles(&mut gathered, client).await;
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
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

async fn value(client: &Client, path: &str) -> Result<Value, client::Error> {
    client.call(Method::GET, path).decode().await
}

async fn text(client: &Client, path: &str) -> Result<Vec<u8>, client::Error> {
    client.call(Method::GET, path).read(MAX_TEXT).await
}

async fn deployment(gathered: &mut Gathered, client: &Client, args: &Args) {
    for (name, path) in DEPLOYMENT {
        gathered.json(&format!("deployment/{name}"), value(client, path).await);
    }
    let cap = u32::try_from(args.workspaces_total_cap.max(0)).unwrap_or(u32::MAX);
    gathered.json(
        "deployment/workspaces.json",
        client.workspaces("", cap, 0).await,
    );
    let licenses = match client.licenses().await {
        Err(e) if e.is_not_found() => Ok("The deployment needs no licenses.\n".to_owned()),
        Ok(found) => Ok(format!("{} licenses\n", found.len())),
        Err(e) => Err(e),
    };
    gathered.bytes("license-status.txt", licenses.map(String::into_bytes));
    for (name, path) in [
        ("coordinator_debug.html", "/api/v2/debug/coordinator"),
        ("tailnet_debug.html", "/api/v2/debug/tailnet"),
    ] {
        gathered.bytes(&format!("network/{name}"), text(client, path).await);
    }
    gathered.bytes(
        "deployment/prometheus.txt",
        text(client, "/api/v2/debug/metrics").await,
    );
}

async fn network(gathered: &mut Gathered, session: &Session) {
    gathered.json::<_, String>("network/interfaces.json", Ok(netcheck::interfaces()));
    let connection = async {
        let client = session.client()?;
        anyhow::Ok(client.agent_connection_generic().await?)
    };
    match connection.await {
        Ok(connection) => {
            gathered.json::<_, String>(
                "network/connection_info.json",
                Ok(json!({
                    "derp_map": connection.derp_map.clone(),
                    "derp_force_websockets": connection.derp_force_websockets,
                    "disable_direct_connections": connection.disable_direct_connections,
                    "hostname_suffix": connection.hostname_suffix.clone(),
                })),
            );
            gathered.json(
                "network/netcheck.json",
                netcheck::run(session, connection)
                    .await
                    .map_err(|e| format!("{e:#}")),
            );
        }
        Err(error) => gathered.note(&format!("network/connection_info.json: {error:#}")),
    }
}

async fn about_workspace(gathered: &mut Gathered, client: &Client, workspace: &Workspace) {
    let build = workspace.latest_build.id;
    gathered.json::<_, String>("workspace/workspace.json", Ok(workspace));
    gathered.json(
        "workspace/parameters.json",
        client.build_parameters(build).await,
    );
    let logs = value(client, &format!("/api/v2/workspacebuilds/{build}/logs")).await;
    gathered.bytes("workspace/build_logs.txt", logs.map(|l| lines(&l)));
    match client.template(workspace.template_id).await {
        Ok(template) => {
            let version = workspace.latest_build.template_version_id;
            about_template(gathered, client, &template, version, "workspace").await;
        }
        Err(error) => gathered.note(&format!("workspace/template.json: {error}")),
    }
}

async fn about_template(
    gathered: &mut Gathered,
    client: &Client,
    template: &Template,
    version: uuid::Uuid,
    folder: &str,
) {
    gathered.json::<_, String>(&format!("{folder}/template.json"), Ok(template));
    let version = client.template_version(version).await;
    if let Ok(version) = &version {
        let source = client.file_download(version.job.file_id, true).await;
        gathered.bytes(&format!("{folder}/template_file.zip"), source);
    }
    gathered.json(&format!("{folder}/template_version.json"), version);
}

/// Log records as lines of text.
fn lines(logs: &Value) -> Vec<u8> {
    let records = logs.as_array().into_iter().flatten();
    let text = records.fold(String::new(), |mut out, r| {
        let part = |name: &str| r[name].as_str().unwrap_or_default();
        let level = if r["level"].is_string() {
            part("level")
        } else {
            part("log_level")
        };
        let (stage, output) = (part("stage"), part("output"));
        let gap = if stage.is_empty() { "" } else { ": " };
        let _ = writeln!(out, "{} [{level}] {stage}{gap}{output}", part("created_at"));
        out
    });
    text.into_bytes()
}

async fn about_agent(
    gathered: &mut Gathered,
    session: &Session,
    agent: &WorkspaceAgent,
    args: &Args,
) {
    gathered.json::<_, String>("agent/agent.json", Ok(agent));
    let Ok(client) = session.client() else {
        return;
    };
    let logs = value(
        client,
        &format!("/api/v2/workspaceagents/{}/logs", agent.id),
    )
    .await;
    gathered.bytes("agent/startup_logs.txt", logs.map(|l| lines(&l)));
    gathered.json(
        "agent/listening_ports.json",
        client.agent_listening_ports(agent.id).await,
    );
    match reach(session, agent).await {
        Ok(link) => inside(gathered, &link, args).await,
        Err(error) => gathered.note(&format!("the agent was not reached: {error:#}")),
    }
}

async fn reach(session: &Session, agent: &WorkspaceAgent) -> Result<Link> {
    let client = session.client()?;
    let connection = client.agent_connection(agent.id).await?;
    let link = link::prepare(session, connection)?.connect(client, agent.id);
    link.conn().await_reachable(agent.id, REACH).await?;
    Ok(link)
}

async fn inside(gathered: &mut Gathered, link: &Link, args: &Args) {
    let pong = link.conn().ping(link.agent()).await;
    gathered.json(
        "agent/ping_result.json",
        pong.map(|p| {
            json!({ "latency_ms": p.latency.as_secs_f64() * 1000.0, "via": format!("{:?}", p.via) })
        }),
    );
    let status = link.conn().status();
    let why = status.why_relayed(link.agent()).map(|w| w.to_string());
    gathered.json::<_, String>(
        "agent/peer_diagnostics.json",
        Ok(json!({ "why_relayed": why, "status": format!("{status:#?}") })),
    );
    let api = link.api();
    gathered.json("agent/manifest.json", api.debug_manifest().await);
    gathered.json("agent/netcheck.json", api.netcheck().await);
    gathered.bytes("agent/logs.txt", api.debug_logs(None).await.map(Vec::from));
    gathered.bytes(
        "agent/agent_magicsock.html",
        api.debug_tunnel().await.map(Vec::from),
    );
    gathered.bytes(
        "agent/prometheus.txt",
        api.prometheus_metrics().await.map(Vec::from),
    );
    workspace_files::add(gathered, &api, &args.workspace_file).await;
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

async fn profiles(gathered: &mut Gathered, client: &Client) {
    for name in PROFILES {
        gathered.bytes(
            &format!("pprof/server/{name}.prof.gz"),
            text(client, &format!("/api/v2/debug/pprof/{name}")).await,
        );
    }
    let path = format!("/api/v2/debug/pprof/profile?seconds={PROFILE_SECONDS}");
    gathered.bytes("pprof/server/cpu.prof.gz", text(client, &path).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_lines() {
        let logs = json!([
            {"created_at": "t", "log_level": "info", "stage": "Plan", "output": "x"},
            {"created_at": "t", "level": "error", "output": "y"},
        ]);
        assert_eq!(lines(&logs), b"t [info] Plan: x\nt [error] y\n");
        assert!(lines(&Value::Null).is_empty());
    }
}
