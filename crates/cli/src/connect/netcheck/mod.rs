//! What the network between here and the deployment can do: its relays, and the
//! interfaces of this machine. The report has the form of the original's, which
//! editors and support bundles read.

mod interfaces;
mod relay;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use client::AgentConnection;
use serde::Serialize;
use tunnel::Region;

pub use interfaces::InterfacesReport;
pub use relay::RegionReport;

use super::link;
use crate::session::Session;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do.
    Ok,
    /// It works, with less than it could.
    Warning,
    /// It does not work.
    Error,
}

/// A finding with its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Code of the original's documentation.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Relays.
    pub derp: RelaysReport,
    /// Network interfaces of this machine.
    pub interfaces: InterfacesReport,
}

/// Every region of relays.
#[derive(Debug, Serialize)]
pub struct RelaysReport {
    error: Option<String>,
    severity: Severity,
    warnings: Vec<Message>,
    dismissed: bool,
    healthy: bool,
    /// By number.
    pub regions: BTreeMap<u16, RegionReport>,
    netcheck: Netcheck,
    netcheck_logs: Vec<String>,
}

/// Measurements in the form of Tailscale's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Netcheck {
    #[serde(rename = "PreferredDERP")]
    preferred_derp: u16,
    /// Nanoseconds.
    region_latency: BTreeMap<u16, u64>,
}

/// Measures everything at once.
pub async fn run(session: &Session, connection: AgentConnection) -> Result<Report> {
    let config = link::config(session, connection)?;
    let measured = config.derp_map.regions.values().map(|region: &Region| {
        let config = config.clone();
        async move { (region.region_id, relay::region(&config, region).await) }
    });
    let regions: BTreeMap<u16, RegionReport> = futures::future::join_all(measured)
        .await
        .into_iter()
        .collect();
    Ok(Report {
        derp: RelaysReport::of(regions),
        interfaces: interfaces::report(),
    })
}

impl RelaysReport {
    fn of(regions: BTreeMap<u16, RegionReport>) -> Self {
        let severity = regions.values().map(|r| r.severity).max();
        // Without any relay nothing can begin.
        let severity = severity.unwrap_or(Severity::Error);
        let latency: BTreeMap<u16, u64> = regions
            .iter()
            .filter_map(|(id, region)| Some((*id, nanoseconds(region.latency()?))))
            .collect();
        Self {
            error: regions
                .is_empty()
                .then(|| "the deployment offers no relay".to_owned()),
            severity,
            warnings: regions.values().flat_map(|r| r.warnings.clone()).collect(),
            dismissed: false,
            healthy: severity != Severity::Error,
            netcheck: Netcheck {
                preferred_derp: latency
                    .iter()
                    .min_by_key(|(_, latency)| **latency)
                    .map_or(0, |(id, _)| *id),
                region_latency: latency,
            },
            netcheck_logs: Vec::new(),
            regions,
        }
    }

    /// The region with the quickest answer.
    pub fn preferred(&self) -> Option<&RegionReport> {
        self.regions.get(&self.netcheck.preferred_derp)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_relay_is_an_error() {
        let report = RelaysReport::of(BTreeMap::new());
        assert_eq!(report.severity, Severity::Error);
        assert!(!report.healthy && report.preferred().is_none());
        let json = serde_json::to_value(report).unwrap();
        assert_eq!(json["netcheck"]["PreferredDERP"], 0);
        assert_eq!(json["severity"], "error");
    }
}
