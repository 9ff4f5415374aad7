//! The checks behind a health report: each looks for itself, from the outside where it can.

use std::time::Duration;

use authz::Subject;
use client::Client;
use control::jobs::DaemonFilter;
use futures::{SinkExt as _, StreamExt as _};
use http::Method;
use serde_json::{Value, json};
use store::OrganizationRef;
use tokio_tungstenite::tungstenite::Message;

use super::report::{
    AccessUrl, Daemon, Daemons, Database, Derp, Finding, Part, Proxies, Verdict, Websocket,
};
use crate::AppState;

/// How long one check may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often the database is asked; the middle answer counts.
const PINGS: usize = 5;
/// Most bytes of `/healthz` that are read.
const MAX_HEALTHZ: usize = 1 << 10;
/// What is sent to be echoed.
const ECHO: &str = "Are you there?";

async fn in_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} seconds", TIMEOUT.as_secs())))
}

/// A client of this deployment by its public address, without a token.
fn client(state: &AppState) -> Result<Client, String> {
    let url = state.control.settings().access_url.clone();
    Client::new(url, String::new().into()).map_err(|error| error.to_string())
}

/// Asks the server by the address that users and agents have.
pub(super) async fn access_url(state: &AppState) -> Part<AccessUrl> {
    let url = &state.control.settings().access_url;
    let mut facts = AccessUrl {
        access_url: url.to_string(),
        ..AccessUrl::default()
    };
    let asked = in_time(async {
        let call = client(state)?;
        let answer = call.call(Method::GET, "/healthz").read(MAX_HEALTHZ).await;
        answer.map_err(|error| error.to_string())
    });
    let verdict = match asked.await {
        Ok(answer) => {
            facts.reachable = true;
            facts.status_code = 200;
            facts.healthz_response = String::from_utf8_lossy(&answer).into_owned();
            if facts.healthz_response == "OK" {
                Verdict::good()
            } else {
                Verdict::good().warn(Finding::new(
                    "EACS04",
                    "something else than this server answers at the access URL",
                ))
            }
        }
        Err(error) => Verdict::bad(
            "EACS03",
            format!("get {url}healthz: {error}. Is --access-url an address that others reach?"),
        ),
    };
    Part { verdict, facts }
}

/// Asks for an echo by a WebSocket, through all that stands before the server.
pub(super) async fn websocket(state: &AppState) -> Part<Websocket> {
    let asked = in_time(async {
        let client = client(state)?;
        let mut socket = client
            .websocket_messages("/api/v2/debug/ws")
            .await
            .map_err(|error| error.to_string())?;
        let sent = socket.send(Message::text(ECHO)).await;
        sent.map_err(|error| error.to_string())?;
        while let Some(message) = socket.next().await {
            match message.map_err(|error| error.to_string())? {
                Message::Text(text) if text.as_str() == ECHO => {
                    let _ = socket.close(None).await;
                    return Ok(());
                }
                Message::Ping(_) | Message::Pong(_) => {}
                _ => return Err("another answer than what was sent".to_owned()),
            }
        }
        Err("the connection ended without an answer".to_owned())
    });
    let (verdict, code) = match asked.await {
        Ok(()) => (Verdict::good(), 101),
        Err(error) => (Verdict::bad("EWS01", error), 0),
    };
    let body = String::new();
    Part {
        verdict,
        facts: Websocket { body, code },
    }
}

/// Measures round trips to the database.
pub(super) async fn database(state: &AppState, threshold: Duration) -> Part<Database> {
    let mut facts = Database {
        threshold_ms: millis(threshold),
        ..Database::default()
    };
    let measured = in_time(async {
        let mut times = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            let ping = state.control.store().ping().await;
            times.push(ping.map_err(|error| error.to_string())?);
        }
        times.sort();
        Ok(times[PINGS / 2])
    });
    let verdict = match measured.await {
        Ok(latency) => {
            facts.reachable = true;
            facts.latency = format!("{latency:?}");
            facts.latency_ms = millis(latency);
            if latency > threshold {
                Verdict::good().warn(Finding::new(
                    "EDB02",
                    format!("the median database ping of {latency:?} exceeds {threshold:?}"),
                ))
            } else {
                Verdict::good()
            }
        }
        Err(error) => Verdict::bad("EDB01", format!("ping: {error}")),
    };
    Part { verdict, facts }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Asks the embedded relay by the address that peers have.
pub(super) async fn derp(state: &AppState) -> Part<Derp> {
    let map = state.tailnet.derp_map();
    let mut regions = serde_json::Map::new();
    let mut verdict = Verdict::good();
    if state.tailnet.relay().is_some() {
        let asked = in_time(async {
            let started = std::time::Instant::now();
            let call = client(state)?;
            let answer = call.call(Method::GET, "/derp/latency-check").done().await;
            answer.map_err(|error| error.to_string())?;
            Ok(started.elapsed())
        });
        let asked = asked.await;
        let region_verdict = match &asked {
            Ok(_) => Verdict::good(),
            Err(error) => Verdict::bad("EDERP01", error),
        };
        for region in map.regions.values().filter(|region| region.embedded_relay) {
            let took = asked.as_ref().ok().copied().unwrap_or_default();
            let node = json!({
                "healthy": region_verdict.healthy, "severity": region_verdict.severity,
                "warnings": region_verdict.warnings, "error": region_verdict.error,
                "node": region.nodes.first(),
                "can_exchange_messages": asked.is_ok(),
                "round_trip_ping": format!("{took:?}"), "round_trip_ping_ms": millis(took),
                "uses_websocket": false, "client_logs": [], "client_errs": [],
                "stun": {"Enabled": false, "CanSTUN": false, "Error": null},
            });
            let whole = json!({
                "healthy": region_verdict.healthy, "severity": region_verdict.severity,
                "warnings": region_verdict.warnings, "error": region_verdict.error,
                "region": region, "node_reports": [node],
            });
            regions.insert(region.region_id.to_string(), whole);
        }
        if !region_verdict.healthy {
            verdict = region_verdict;
        }
    } else {
        verdict = verdict.warn(Finding::new(
            "EDERP02",
            "the relay of this server is off: workspaces are reached by direct paths only",
        ));
    }
    Part {
        verdict,
        facts: Derp {
            regions: Value::Object(regions),
            netcheck: Value::Null,
            netcheck_err: None,
            netcheck_logs: Vec::new(),
        },
    }
}

/// Proxies of apps: this version runs none, so none can be ill.
pub(super) fn proxies() -> Part<Proxies> {
    Part {
        verdict: Verdict::good(),
        facts: Proxies {
            workspace_proxies: json!({"regions": []}),
        },
    }
}

/// Looks for daemons that take jobs.
pub(super) async fn daemons(state: &AppState, who: &Subject) -> Part<Daemons> {
    let found = in_time(async {
        let all = state.control.organization_list(who, None).await;
        let mut found = Vec::new();
        for organization in all.map_err(|error| error.to_string())? {
            let which = OrganizationRef::Id(organization.id);
            let by = DaemonFilter::default();
            let list = state.control.provisioner_daemon_list(who, &which, &by);
            found.extend(list.await.map_err(|error| error.to_string())?);
        }
        Ok(found)
    });
    match found.await {
        Ok(found) => {
            let mut verdict = Verdict::good();
            if found.is_empty() {
                verdict = Verdict::bad(
                    "EPD01",
                    "no provisioner daemon is at work, so nothing can be built. \
                     Start the server with --provisioner-daemons above 0",
                );
            }
            let items = found.into_iter().map(|daemon| Daemon {
                warnings: old(&daemon.version),
                provisioner_daemon: daemon,
            });
            let items: Vec<Daemon> = items.collect();
            for finding in items.iter().flat_map(|item| &item.warnings) {
                verdict = verdict.warn(finding.clone());
            }
            Part {
                verdict,
                facts: Daemons { items },
            }
        }
        Err(error) => Part {
            verdict: Verdict::bad("EUNKNOWN", error),
            facts: Daemons::default(),
        },
    }
}

fn old(version: &str) -> Vec<Finding> {
    if api_types::same_api_level(version, api_types::VERSION) {
        return Vec::new();
    }
    vec![Finding::new(
        "EPD02",
        format!("a daemon of version {version:?} may not understand this server's jobs"),
    )]
}
