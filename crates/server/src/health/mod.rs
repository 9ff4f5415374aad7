//! How the deployment is doing: `/debug/health`. A report is kept for a while, as making one
//! costs requests to ourselves.

mod checks;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use authz::Subject;
use control::{Control, Error};
use tokio::sync::Mutex;

use crate::AppState;
pub(crate) use report::{Report, SECTIONS, Settings};

/// Where the settings are kept.
const SETTINGS: &str = "health_settings";

/// The last report. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<Option<(Instant, Report)>>>);

impl Health {
    /// The last report if it is fresh, else a new one; who asks meanwhile waits for the same.
    pub(crate) async fn report(
        &self,
        state: &AppState,
        who: &Subject,
        force: bool,
    ) -> Result<Report, Error> {
        let options = &state.http.options;
        let settings = settings_read(&state.control).await?;
        let mut kept = self.0.lock().await;
        let fresh = options.duration("health-check-refresh");
        if let Some((made, report)) = kept.as_ref().filter(|_| !force)
            && made.elapsed() < fresh
        {
            return Ok(report.clone().judged(&settings));
        }
        let threshold = options.duration("health-check-threshold-database");
        let report = Box::pin(make(state, who, threshold))
            .await
            .judged(&settings);
        *kept = Some((Instant::now(), report.clone()));
        Ok(report)
    }
}

async fn make(state: &AppState, who: &Subject, threshold: Duration) -> Report {
    let (access_url, websocket, database, derp, provisioner_daemons) = tokio::join!(
        checks::access_url(state),
        checks::websocket(state),
        checks::database(state, threshold),
        checks::derp(state),
        checks::daemons(state, who),
    );
    Report {
        time: chrono::Utc::now(),
        healthy: true,
        severity: report::Severity::Ok,
        derp,
        access_url,
        websocket,
        database,
        workspace_proxy: checks::proxies(),
        provisioner_daemons,
        coder_version: api_types::VERSION,
    }
}

/// Parts that nobody wants to be warned of.
pub(crate) async fn settings_read(control: &Control) -> Result<Settings, Error> {
    let stored = control.setting_read(SETTINGS).await?;
    Ok(stored
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default())
}

/// Sets them; false if they were so already.
pub(crate) async fn settings_set(
    control: &Control,
    who: &Subject,
    settings: &Settings,
) -> Result<bool, Error> {
    for name in &settings.dismissed_healthchecks {
        if !SECTIONS.contains(&name.as_str()) {
            let shown: String = name.chars().take(64).collect();
            return Err(Error::field(
                "dismissed_healthchecks",
                format!("{shown:?} is none of {}", SECTIONS.join(", ")),
            ));
        }
    }
    if settings_read(control).await? == *settings {
        return Ok(false);
    }
    let text = serde_json::to_string(settings).map_err(Error::internal)?;
    control
        .setting_set(who, SETTINGS, "health_settings", &text)
        .await?;
    Ok(true)
}
