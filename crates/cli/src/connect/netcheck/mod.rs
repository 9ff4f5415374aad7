//! What the network between here and the deployment can do: its relays, and the
//! interfaces of this machine. The report has the form of the original's, which
//! editors and support bundles read.

mod relay;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use client::AgentConnection;
use serde::Serialize;
use serde_json::Value;
use tunnel::{Conn, Region};

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
    pub interfaces: Value,
}

impl Report {
    /// Findings about the interfaces of this machine, for people.
    pub fn interface_warnings(&self) -> Vec<&str> {
        warnings(&self.interfaces)
    }
}

/// The texts of a report's warnings.
pub fn warnings(report: &Value) -> Vec<&str> {
    let all = report["warnings"].as_array().into_iter().flatten();
    all.filter_map(|w| w["message"].as_str()).collect()
}

/// Findings about the interfaces of this machine.
pub fn interfaces() -> Value {
    agent::netcheck::report()["interfaces"].take()
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

/// Measurements in the form of Tailscale's; latencies are in nanoseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Netcheck {
    /// Some STUN server answered.
    #[serde(rename = "UDP")]
    udp: bool,
    #[serde(rename = "IPv4")]
    ipv4: bool,
    #[serde(rename = "IPv6")]
    ipv6: bool,
    #[serde(rename = "MappingVariesByDestIP")]
    mapping_varies: Option<bool>,
    hair_pinning: Option<bool>,
    #[serde(rename = "PreferredDERP")]
    preferred_derp: u16,
    region_latency: BTreeMap<u16, u64>,
    region_v4_latency: BTreeMap<u16, u64>,
    region_v6_latency: BTreeMap<u16, u64>,
    #[serde(rename = "GlobalV4")]
    global_v4: String,
    #[serde(rename = "GlobalV6")]
    global_v6: String,
}

/// Measures everything at once.
pub async fn run(session: &Session, connection: AgentConnection) -> Result<Report> {
    let config = link::config(
        session.client()?,
        session.globals.disable_direct_connections,
        connection,
    )?;
    let measured = config.derp_map.regions.values().map(|region: &Region| {
        let config = config.clone();
        async move { (region.region_id, relay::region(&config, region).await) }
    });
    let measured = futures::future::join_all(measured);
    let around = Conn::new(config.clone());
    let (regions, network) = tokio::join!(measured, around.netcheck());
    let mut regions: BTreeMap<u16, RegionReport> = regions.into_iter().collect();
    for (id, region) in &mut regions {
        region.stun(*id, &network);
    }
    Ok(Report {
        derp: RelaysReport::of(regions, &network),
        interfaces: interfaces(),
    })
}

impl RelaysReport {
    fn of(regions: BTreeMap<u16, RegionReport>, network: &tunnel::Report) -> Self {
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
                udp: network.udp,
                ipv4: network.ipv4,
                ipv6: network.ipv6,
                mapping_varies: network.mapping_varies_by_destination,
                hair_pinning: network.hairpin,
                region_v4_latency: each(&network.region_v4_latency),
                region_v6_latency: each(&network.region_v6_latency),
                global_v4: network.global_v4.map(|a| a.to_string()).unwrap_or_default(),
                global_v6: network.global_v6.map(|a| a.to_string()).unwrap_or_default(),
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

    /// What STUN says of the network, for people; `None` where no server was
    /// asked.
    pub fn network(&self) -> Option<String> {
        let asked = self.regions.values().any(RegionReport::has_stun);
        let n = &self.netcheck;
        let seen: Vec<&str> = [n.global_v4.as_str(), n.global_v6.as_str()]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        match (asked, n.udp) {
            (false, _) => None,
            (true, false) => Some("no STUN server answered: UDP may be blocked".to_owned()),
            (true, true) if n.mapping_varies == Some(true) => Some(format!(
                "seen from outside as {}, but with another port for each destination (hard NAT)",
                seen.join(" and ")
            )),
            (true, true) => Some(format!("seen from outside as {}", seen.join(" and "))),
        }
    }

    /// The region with the quickest answer.
    pub fn preferred(&self) -> Option<&RegionReport> {
        self.regions.get(&self.netcheck.preferred_derp)
    }
}

fn each(latencies: &BTreeMap<u16, Duration>) -> BTreeMap<u16, u64> {
    latencies
        .iter()
        .map(|(id, latency)| (*id, nanoseconds(*latency)))
        .collect()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_relay_is_an_error() {
        let report = RelaysReport::of(BTreeMap::new(), &tunnel::Report::default());
        assert_eq!(report.severity, Severity::Error);
        assert!(!report.healthy && report.preferred().is_none());
        let json = serde_json::to_value(report).unwrap();
        assert_eq!(json["netcheck"]["PreferredDERP"], 0);
        assert_eq!(json["severity"], "error");
    }
}
