//! How a workspace is reached, and why not directly, in words.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use client::agent_api::AgentApi;
use serde_json::Value;
use tunnel::WhyRelayed;

use super::link::Link;
use super::netcheck;
use crate::say;
use crate::session::Session;

/// The agent's own report is read while the tunnel stands: it comes at once or
/// not at all.
const AGENT_PATIENCE: Duration = Duration::from_secs(5);

/// Name of a relay's region.
pub fn name(relays: &BTreeMap<u16, String>, region: u16) -> String {
    relays
        .get(&region)
        .cloned()
        .unwrap_or_else(|| region.to_string())
}

/// Prints what is known of the way to the agent.
pub async fn show(session: &Session, link: &Link) -> Result<()> {
    let style = session.style;
    let (well, ill) = (style.good("✔"), style.warn("❗"));
    let status = link.conn().status();
    say!()?;
    match status.home_region {
        Some(region) => say!(
            "{well} relay of this machine: {}",
            name(link.relays(), region)
        )?,
        None => say!("{ill} this machine reaches no relay")?,
    }
    let Some(peer) = status.peers.iter().find(|p| p.id == link.agent()) else {
        return say!("{ill} the server has not told where the workspace is");
    };
    say!(
        "{well} relay of the workspace: {}",
        name(link.relays(), peer.home_region)
    )?;
    let why = match (peer.path.route.direct, status.why_relayed(link.agent())) {
        (Some(address), _) => return say!("{well} connected directly (p2p) to {address}"),
        (None, None) => return say!("{ill} the way to the workspace is not known yet"),
        (None, Some(why)) => why,
    };
    say!("{ill} connected through a relay: {}", because(link, why))?;
    let here = netcheck::interfaces();
    let there = tokio::time::timeout(AGENT_PATIENCE, agent_report(link)).await;
    let there = there.ok().flatten().unwrap_or_default();
    for (side, report) in [
        ("this machine", &here),
        ("the workspace", &there["interfaces"]),
    ] {
        for warning in netcheck::warnings(report) {
            say!("{ill} on {side}: {warning}")?;
        }
    }
    if there["net_info"]["MappingVariesByDestIP"] == Value::Bool(true) {
        say!(
            "{ill} on the workspace: it is behind NAT of the hard kind, which gives each destination another port"
        )?;
    }
    Ok(())
}

/// The reason, told by who has decided it where somebody has.
fn because(link: &Link, why: WhyRelayed) -> String {
    match why {
        WhyRelayed::BlockedHere if link.facts().blocked_by_deployment => {
            "your administrator has turned direct connections off".to_owned()
        }
        WhyRelayed::BlockedHere if link.facts().blocked_by_flag => {
            "direct connections are turned off here, by --disable-direct-connections or CODER_DISABLE_DIRECT_CONNECTIONS".to_owned()
        }
        other => other.to_string(),
    }
}

async fn agent_report(link: &Link) -> Option<Value> {
    link.api().netcheck().await.ok()
}

impl Link {
    /// The HTTP API of the agent, inside this tunnel.
    pub fn api(&self) -> AgentApi {
        let (conn, agent) = (self.conn().clone(), self.agent());
        AgentApi::new(move || {
            let conn = conn.clone();
            async move {
                let [to, _] = tunnel::address::agent(agent);
                let port = client::agent_api::PORT;
                conn.dial_tcp(std::net::SocketAddrV6::new(to, port, 0, 0))
                    .await
            }
        })
    }
}
