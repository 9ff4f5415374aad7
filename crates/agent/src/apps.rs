//! Health of applications: asks their URLs and reports what changed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use rpc::AgentClient;
use rpc::proto::agent::batch_update_app_health_request::HealthUpdate;
use rpc::proto::agent::{AppHealth, BatchUpdateAppHealthRequest};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::manifest::App;
use crate::workspace::Workspace;

/// How long changes wait for company.
const FLUSH: Duration = Duration::from_secs(1);

/// Counts failures of one app.
#[derive(Debug)]
struct Judge {
    threshold: u32,
    failures: u32,
    health: AppHealth,
}

impl Judge {
    /// Takes one result; answers with the health if it has changed.
    fn take(&mut self, success: bool) -> Option<AppHealth> {
        self.failures = if success {
            0
        } else {
            self.failures.saturating_add(1)
        };
        let health = if success {
            AppHealth::Healthy
        } else if self.failures > self.threshold {
            AppHealth::Unhealthy
        } else {
            self.health
        };
        (std::mem::replace(&mut self.health, health) != health).then_some(health)
    }
}

/// Watches every app that has a check and reports changes, until the first failure.
pub async fn watch(workspace: &Workspace, client: &AgentClient) -> Result<(), rpc::drpc::Error> {
    let Some(manifest) = workspace.manifest() else {
        return Ok(());
    };
    let watched: Vec<&App> = manifest
        .apps
        .iter()
        .filter(|app| !app.url.is_empty() && !app.interval.is_zero() && app.threshold > 0)
        .collect();
    if watched.is_empty() {
        return Ok(());
    }
    let clients = http_client(workspace, true)
        .and_then(|outside| Ok((outside, http_client(workspace, false)?)));
    let (outside, here) = match clients {
        Ok(clients) => clients,
        Err(error) => {
            tracing::error!(%error, "the health of apps cannot be watched");
            return Ok(());
        }
    };
    let all = watched
        .iter()
        .map(|app| (app.id, app.health))
        .collect::<BTreeMap<Uuid, AppHealth>>();
    let (all, changed) = (Mutex::new(all), Notify::new());
    let watching = join_all(watched.iter().map(|app| {
        let url = reqwest::Url::parse(&app.url).ok();
        let is_here = url.and_then(|url| url.host_str().map(tunnel::is_loopback_host));
        let http = if is_here == Some(true) {
            &here
        } else {
            &outside
        };
        watch_one(app, http, |health| {
            tracing::info!(app = app.slug, ?health, "an app's health changed");
            all.lock().insert(app.id, health);
            changed.notify_one();
        })
    }));
    let reporting = async {
        loop {
            changed.notified().await;
            tokio::time::sleep(FLUSH).await;
            let updates = all
                .lock()
                .iter()
                .map(|(id, health)| HealthUpdate {
                    id: id.as_bytes().to_vec(),
                    health: (*health).into(),
                })
                .collect();
            client
                .batch_update_app_healths(&BatchUpdateAppHealthRequest { updates })
                .await?;
        }
    };
    tokio::select! {
        _ = watching => Ok(()),
        reported = reporting => reported,
    }
}

/// Trusts what the agent itself trusts. No proxy leads to this machine, whatever the environment says.
fn http_client(workspace: &Workspace, proxies: bool) -> reqwest::Result<reqwest::Client> {
    let tls = rustls::ClientConfig::clone(workspace.config.client().tls_config());
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only();
    if proxies { http } else { http.no_proxy() }.build()
}

async fn watch_one(app: &App, http: &reqwest::Client, changed: impl Fn(AppHealth)) {
    let mut judge = Judge {
        threshold: app.threshold,
        failures: 0,
        health: app.health,
    };
    loop {
        tokio::time::sleep(app.interval).await;
        // No check may outlast the pause between two.
        let asked = http.get(&app.url).timeout(app.interval).send().await;
        let success = asked.is_ok_and(|answer| !answer.status().is_server_error());
        if let Some(health) = judge.take(success) {
            changed(health);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_more_than_tolerated_is_unhealthy() {
        let mut judge = Judge {
            threshold: 2,
            failures: 0,
            health: AppHealth::Initializing,
        };
        assert_eq!([false, false].map(|ok| judge.take(ok)), [None, None]);
        assert_eq!(judge.take(false), Some(AppHealth::Unhealthy));
        assert_eq!(judge.take(false), None);
        assert_eq!(judge.take(true), Some(AppHealth::Healthy));
        assert_eq!(judge.take(false), None, "one failure is tolerated");
    }
}
