//! The parts of a health report, as the API names them (`healthsdk.HealthcheckReport`).

use api_types::ProvisionerDaemon;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Ok,
    Warning,
    Error,
}

/// Something to know, with a code that documentation explains.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    pub code: &'static str,
    pub message: String,
}

impl Finding {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Finding {
            code,
            message: message.into(),
        }
    }
}

/// What every part of a report says.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub healthy: bool,
    pub severity: Severity,
    pub warnings: Vec<Finding>,
    pub dismissed: bool,
    pub error: Option<String>,
}

impl Verdict {
    pub(crate) fn good() -> Self {
        Verdict {
            healthy: true,
            severity: Severity::Ok,
            warnings: Vec::new(),
            dismissed: false,
            error: None,
        }
    }

    /// Works, yet not as it should.
    pub(crate) fn warn(mut self, finding: Finding) -> Self {
        self.severity = self.severity.max(Severity::Warning);
        self.warnings.push(finding);
        self
    }

    /// Does not work.
    pub(crate) fn bad(code: &str, why: impl std::fmt::Display) -> Self {
        Verdict {
            healthy: false,
            severity: Severity::Error,
            error: Some(format!("{code}: {why}")),
            ..Verdict::good()
        }
    }
}

/// A part of a report with facts of its own.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Part<T> {
    #[serde(flatten)]
    pub verdict: Verdict,
    #[serde(flatten)]
    pub facts: T,
}

/// Whether users and agents reach the server.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct AccessUrl {
    pub access_url: String,
    pub reachable: bool,
    pub status_code: u16,
    pub healthz_response: String,
}

/// How quickly the database answers.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Database {
    pub reachable: bool,
    pub latency: String,
    pub latency_ms: u64,
    pub threshold_ms: u64,
}

/// Whether relays answer.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Derp {
    pub regions: Value,
    pub netcheck: Value,
    pub netcheck_err: Option<String>,
    pub netcheck_logs: Vec<String>,
}

/// Whether WebSockets come through.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Websocket {
    pub body: String,
    pub code: u16,
}

/// Proxies of apps: none are run.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Proxies {
    pub workspace_proxies: Value,
}

/// Who takes jobs.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Daemons {
    pub items: Vec<Daemon>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Daemon {
    pub provisioner_daemon: ProvisionerDaemon,
    pub warnings: Vec<Finding>,
}

/// The whole.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub time: DateTime<Utc>,
    pub healthy: bool,
    pub severity: Severity,
    pub derp: Part<Derp>,
    pub access_url: Part<AccessUrl>,
    pub websocket: Part<Websocket>,
    pub database: Part<Database>,
    pub workspace_proxy: Part<Proxies>,
    pub provisioner_daemons: Part<Daemons>,
    pub coder_version: &'static str,
}

/// Parts that nobody wants to be warned of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub dismissed_healthchecks: Vec<String>,
}

/// Names of the parts, as they are dismissed.
pub(crate) const SECTIONS: [&str; 6] = [
    "DERP",
    "AccessURL",
    "Websocket",
    "Database",
    "WorkspaceProxy",
    "ProvisionerDaemons",
];

impl Report {
    /// With the verdict over all parts, and what is dismissed marked so.
    pub(crate) fn judged(mut self, settings: &Settings) -> Self {
        let parts: [&mut Verdict; 6] = [
            &mut self.derp.verdict,
            &mut self.access_url.verdict,
            &mut self.websocket.verdict,
            &mut self.database.verdict,
            &mut self.workspace_proxy.verdict,
            &mut self.provisioner_daemons.verdict,
        ];
        let mut worst = Severity::Ok;
        for (name, part) in SECTIONS.iter().zip(parts) {
            part.dismissed = settings.dismissed_healthchecks.iter().any(|d| d == name);
            worst = worst.max(part.severity);
        }
        self.severity = worst;
        self.healthy = worst != Severity::Error;
        self
    }
}
