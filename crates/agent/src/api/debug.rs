//! Routes for people who look for a fault.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{Json, Response};
use chrono::{DateTime, Utc};
use http::{StatusCode, Uri, header};
use serde_json::{Value, json};

use super::failure::Failure;
use super::query::Query;
use crate::debug_logs;
use crate::metrics;

/// Type of plain text.
const TEXT: &str = "text/plain; charset=utf-8";

fn text(body: impl Into<Body>, kind: &'static str) -> Response {
    let mut response = Response::new(body.into());
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub async fn logs(State(state): State<Arc<super::State>>, uri: Uri) -> Result<Response, Failure> {
    let after = Query::of(&uri).text("after");
    let after = match after.trim() {
        "" => None,
        text => Some(text.parse::<DateTime<Utc>>().map_err(|error| {
            Failure::bad_request("after must be an RFC3339 timestamp").because(error)
        })?),
    };
    let directory = state.workspace.config.log_dir.clone();
    let stream = tokio::task::spawn_blocking(move || debug_logs::open(&directory, after))
        .await
        .map_err(|error| Failure::system("The request failed.").because(error))?
        .map_err(|error| Failure::system("could not open log file").because(error))?;
    Ok(text(Body::from_stream(stream), TEXT))
}

/// What the tunnel knows of its peers.
pub async fn tunnel(State(state): State<Arc<super::State>>) -> Result<Response, Failure> {
    let tunnel = state
        .tunnel
        .get()
        .ok_or_else(|| Failure::system("network is not ready yet"))?;
    let mut out = String::new();
    let traffic = tunnel.traffic();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "node: {:#?}", tunnel.self_node().borrow().as_ref());
    let _ = writeln!(out, "traffic: {traffic:#?}");
    for peer in tunnel.peers() {
        let _ = writeln!(out, "peer: {peer:#?}");
    }
    Ok(text(out, TEXT))
}

/// How much is logged is settled when the agent starts.
pub async fn tunnel_logging(Path(wanted): Path<String>) -> Failure {
    if wanted.parse::<bool>().is_err() && !matches!(wanted.as_str(), "0" | "1" | "t" | "f") {
        return Failure::bad_request(format!("invalid state {wanted:?}, must be a boolean"));
    }
    Failure::new(
        StatusCode::NOT_IMPLEMENTED,
        "The tunnel's debug logging cannot be changed while the agent runs.",
    )
    .because("Start the agent with CODER_VERBOSE=true to get debug logs.")
}

/// The manifest without what is secret in it.
pub async fn manifest(State(state): State<Arc<super::State>>) -> Result<Json<Value>, Failure> {
    let manifest = state
        .workspace
        .manifest()
        .ok_or_else(|| Failure::system("no manifest in-memory"))?;
    let environment: serde_json::Map<_, _> = manifest
        .environment
        .iter()
        .map(|(name, value)| {
            let shown = if value.is_empty() {
                ""
            } else {
                "***REDACTED***"
            };
            (name.clone(), Value::from(shown))
        })
        .collect();
    let script = |script: &crate::manifest::Script| {
        json!({
            "id": script.id,
            "log_source_id": script.log_source,
            "log_path": script.log_path,
            "script": script.text,
            "cron": script.cron,
            "run_on_start": script.run_on_start,
            "run_on_stop": script.run_on_stop,
            "timeout": script.timeout.as_nanos() as u64,
            "display_name": script.display_name,
        })
    };
    let app = |app: &crate::manifest::App| {
        json!({
            "id": app.id,
            "slug": app.slug,
            "healthcheck": {
                "url": app.url,
                "interval": app.interval.as_secs(),
                "threshold": app.threshold,
            },
        })
    };
    let metadata = |metadata: &crate::manifest::Metadata| {
        json!({
            "key": metadata.key,
            "script": metadata.script,
            "interval": metadata.interval.as_secs(),
            "timeout": metadata.timeout.as_secs(),
        })
    };
    Ok(Json(json!({
        "agent_id": manifest.agent_id,
        "agent_name": manifest.agent_name,
        "owner_name": manifest.owner_name,
        "workspace_id": manifest.workspace_id,
        "workspace_name": manifest.workspace_name,
        "parent_id": manifest.parent_id,
        "git_auth_configs": manifest.git_auth_configs,
        "vscode_port_proxy_uri": manifest.vscode_port_proxy_uri,
        "environment_variables": environment,
        "directory": manifest.directory,
        "motd_file": manifest.motd_path,
        "disable_direct_connections": manifest.disable_direct_connections,
        "derp_force_websockets": manifest.derp_force_websockets,
        "scripts": manifest.scripts.iter().map(script).collect::<Vec<_>>(),
        "apps": manifest.apps.iter().map(app).collect::<Vec<_>>(),
        "metadata": manifest.metadata.iter().map(metadata).collect::<Vec<_>>(),
    })))
}

pub async fn prometheus(State(state): State<Arc<super::State>>) -> Response {
    let tunnel = state.tunnel.get();
    text(
        metrics::text(&state.workspace.metrics.collect(tunnel)),
        "text/plain; version=0.0.4; charset=utf-8",
    )
}
