//! The parts of a bundle: what the deployment, the network, a workspace and its
//! agent tell.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use api_types::{Template, Workspace, WorkspaceAgent};
use client::Client;
use http::Method;
use serde_json::{Value, json};

use super::gather::Gathered;
use super::workspace_files;
use crate::connect::link::{self, Link};
use crate::connect::netcheck;
use crate::session::Session;

/// The largest text that one part of a deployment may give.
const MAX_TEXT: usize = 64 << 20;
/// An agent that can be reached at all answers within this.
const REACH: Duration = Duration::from_secs(15);
/// How long the server is profiled.
pub const PROFILE_SECONDS: u32 = 10;
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

async fn value(client: &Client, path: &str) -> Result<Value, client::Error> {
    client.call(Method::GET, path).decode().await
}

async fn text(client: &Client, path: &str) -> Result<Vec<u8>, client::Error> {
    client.call(Method::GET, path).read(MAX_TEXT).await
}

/// Adds what the deployment tells of itself; at most `cap` workspaces, 0 is all.
pub async fn deployment(gathered: &mut Gathered, client: &Client, cap: i64) {
    for (name, path) in DEPLOYMENT {
        gathered.json(&format!("deployment/{name}"), value(client, path).await);
    }
    let cap = u32::try_from(cap.max(0)).unwrap_or(u32::MAX);
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

/// Adds what this machine measures of the network.
pub async fn network(gathered: &mut Gathered, session: &Session) {
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

/// Adds a workspace with its build and template.
pub async fn about_workspace(gathered: &mut Gathered, client: &Client, workspace: &Workspace) {
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

/// Adds a template and one of its versions, with its source.
pub async fn about_template(
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

/// Adds an agent with what it tells itself, and `files` of its workspace.
pub async fn about_agent(
    gathered: &mut Gathered,
    session: &Session,
    agent: &WorkspaceAgent,
    files: &[String],
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
        Ok(link) => inside(gathered, &link, files).await,
        Err(error) => gathered.note(&format!("the agent was not reached: {error:#}")),
    }
}

async fn reach(session: &Session, agent: &WorkspaceAgent) -> Result<Link> {
    let client = session.client()?;
    let connection = client.agent_connection(agent.id).await?;
    let link = link::prepare(
        client,
        session.globals.disable_direct_connections,
        connection,
    )?
    .connect(client, agent.id);
    link.conn().await_reachable(agent.id, REACH).await?;
    Ok(link)
}

async fn inside(gathered: &mut Gathered, link: &Link, files: &[String]) {
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
    workspace_files::add(gathered, &api, files).await;
}

/// Adds profiles of the server, where it can be profiled.
pub async fn profiles(gathered: &mut Gathered, client: &Client) {
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
