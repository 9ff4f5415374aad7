//! One relay: two tunnel ends that know nothing else meet there.

use std::time::Duration;

use serde::Serialize;
use tunnel::{Config, Conn, DerpMap, DerpNode, PeerUpdate, PeerUpdateKind, Region};

use super::{Message, Severity};

/// A relay that works answers within seconds, from anywhere.
const LIMIT: Duration = Duration::from_secs(10);

/// An answer that takes longer was lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of so many answers the quickest counts.
const SAMPLES: usize = 3;

/// What was found in a region.
#[derive(Debug, Serialize)]
pub struct RegionReport {
    healthy: bool,
    /// The worst finding.
    pub severity: Severity,
    /// Findings.
    pub warnings: Vec<Message>,
    error: Option<String>,
    /// As the deployment describes it.
    pub region: Region,
    /// One for each server.
    pub node_reports: Vec<NodeReport>,
}

/// What was found of a server.
#[derive(Debug, Serialize)]
pub struct NodeReport {
    healthy: bool,
    severity: Severity,
    warnings: Vec<Message>,
    /// Why it does not work.
    pub error: Option<String>,
    /// As the deployment describes it.
    pub node: DerpNode,
    /// Packets go through it.
    pub can_exchange_messages: bool,
    round_trip_ping: String,
    round_trip_ping_ms: u64,
    uses_websocket: bool,
    stun: Stun,
    /// Time through the relay and back.
    #[serde(skip)]
    pub latency: Option<Duration>,
}

/// Whether a server tells addresses by STUN. The original writes these names.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Stun {
    enabled: bool,
    #[serde(rename = "CanSTUN")]
    works: bool,
    error: Option<String>,
}

/// Tries every server of a region that relays.
pub async fn region(config: &Config, region: &Region) -> RegionReport {
    let nodes = region.relays().map(|node| try_node(config, region, node));
    let node_reports = futures::future::join_all(nodes).await;
    let working = node_reports.iter().filter(|n| n.healthy).count();
    let (severity, warnings) = match (working, node_reports.len()) {
        (0, _) => (
            Severity::Error,
            vec![Message {
                code: "EDERP03",
                message: format!("no relay of region {:?} works", region.region_name),
            }],
        ),
        (working, all) if working < all => (
            Severity::Warning,
            vec![Message {
                code: "EDERP02",
                message: format!(
                    "{} of {all} relays of region {:?} do not work",
                    all - working,
                    region.region_name
                ),
            }],
        ),
        _ => (Severity::Ok, Vec::new()),
    };
    RegionReport {
        healthy: severity != Severity::Error,
        severity,
        warnings,
        error: None,
        region: region.clone(),
        node_reports,
    }
}

impl RegionReport {
    /// Notes what the region's STUN servers have answered.
    pub fn stun(&mut self, id: u16, network: &tunnel::Report) {
        let answered = network.region_v4_latency.contains_key(&id)
            || network.region_v6_latency.contains_key(&id);
        for report in &mut self.node_reports {
            report.stun = Stun {
                enabled: report.node.stun_port >= 0,
                works: answered,
                error: None,
            };
        }
    }

    /// Whether any server of the region offers STUN.
    pub fn has_stun(&self) -> bool {
        self.region.nodes.iter().any(|n| n.stun_port >= 0)
    }

    /// The quickest answer.
    pub fn latency(&self) -> Option<Duration> {
        self.node_reports.iter().filter_map(|n| n.latency).min()
    }
}

async fn try_node(config: &Config, region: &Region, node: &DerpNode) -> NodeReport {
    let mut config = config.clone();
    let alone = Region {
        nodes: vec![node.clone()],
        ..region.clone()
    };
    config.derp_map = DerpMap {
        regions: [(region.region_id, alone)].into(),
        ..DerpMap::default()
    };
    // The relay is what is measured.
    config.block_endpoints = true;
    let answer = tokio::time::timeout(LIMIT, round_trip(&config)).await;
    let (latency, error) = match answer {
        Ok(Ok(latency)) => (Some(latency), None),
        Ok(Err(error)) => (None, Some(error)),
        Err(_) => (
            None,
            Some(format!(
                "no packet came through within {} s",
                LIMIT.as_secs()
            )),
        ),
    };
    let severity = if error.is_some() {
        Severity::Error
    } else {
        Severity::Ok
    };
    NodeReport {
        healthy: error.is_none(),
        severity,
        warnings: Vec::new(),
        can_exchange_messages: error.is_none(),
        error,
        node: node.clone(),
        round_trip_ping: latency.map_or_else(String::new, |l| format!("{l:?}")),
        round_trip_ping_ms: latency.map_or(0, |l| u64::try_from(l.as_millis()).unwrap_or(u64::MAX)),
        uses_websocket: config.derp_force_websockets,
        stun: Stun::default(),
        latency,
    }
}

/// Two ends at the same relay; time for a packet from one to the other and
/// back.
async fn round_trip(config: &Config) -> Result<Duration, String> {
    let ends = [Conn::new(again(config)), Conn::new(again(config))];
    for end in &ends {
        end.home_connected().await;
    }
    let [one, other] = &ends;
    one.add_destination(other.id());
    for (end, peer) in [(one, other), (other, one)] {
        let node = peer.self_node().borrow().clone();
        let node = node.ok_or("the relay was lost at once")?;
        let update = |kind| PeerUpdate {
            id: peer.id(),
            kind,
        };
        end.apply_peer_updates(vec![
            update(PeerUpdateKind::Node(Box::new(node))),
            update(PeerUpdateKind::ReadyForHandshake),
        ]);
    }
    let mut best = answer(one, other).await;
    // The first packet meets caches and links that the next ones do not.
    for _ in 1..SAMPLES {
        best = best.min(answer(one, other).await);
    }
    Ok(best)
}

/// Pings until there is an answer: a relay may not know an end yet that has just
/// connected, and drops what comes for it.
async fn answer(one: &Conn, other: &Conn) -> Duration {
    loop {
        let answer = tokio::time::timeout(PATIENCE, one.ping(other.id())).await;
        if let Ok(Ok(pong)) = answer {
            return pong.latency;
        }
    }
}

/// The same settings for an end of its own.
fn again(config: &Config) -> Config {
    let fresh = Config::client(config.base_url.clone());
    Config {
        id: fresh.id,
        node_id: fresh.node_id,
        addresses: fresh.addresses,
        ..config.clone()
    }
}
