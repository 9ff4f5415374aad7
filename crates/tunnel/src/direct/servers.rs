//! The STUN servers of the relay map.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use tunnel_proto::derp_map::{DerpMap, DerpNode};
use tunnel_proto::netcheck::StunServer;
use tunnel_proto::stun;

/// Names are looked up for at most so long: what is not found then is left out.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Most servers whose names are looked up.
const MAX_SERVERS: usize = 16;
/// An address that says that there is none of its family.
const NONE: &str = "none";

/// Addresses of the map's STUN servers, the first of each family for each.
pub(super) async fn resolve(map: &DerpMap) -> Vec<StunServer> {
    let nodes = map
        .regions
        .iter()
        .flat_map(|(&region, about)| about.nodes.iter().map(move |node| (region, node)));
    let mut lookups = JoinSet::new();
    let asked = nodes.filter_map(|(region, node)| Some((region, node.clone(), port(node)?)));
    for (order, (region, node, port)) in asked.take(MAX_SERVERS).enumerate() {
        lookups.spawn(async move {
            let addresses = addresses(&node, port).await;
            let servers = addresses
                .into_iter()
                .map(|address| StunServer { region, address });
            (order, servers.collect::<Vec<_>>())
        });
    }
    let mut found = Vec::new();
    let all = async {
        while let Some(result) = lookups.join_next().await {
            found.extend(result);
        }
    };
    // Whatever was found in time will do.
    let _ = tokio::time::timeout(TIMEOUT, all).await;
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().flat_map(|(_, servers)| servers).collect()
}

/// The STUN port of a node; `None` if it has no such server.
fn port(node: &DerpNode) -> Option<u16> {
    match node.stun_port {
        0 => Some(stun::DEFAULT_PORT),
        port => u16::try_from(port).ok(),
    }
}

async fn addresses(node: &DerpNode, port: u16) -> Vec<SocketAddr> {
    if let Ok(ip) = node.stun_test_ip.parse::<IpAddr>() {
        return vec![SocketAddr::new(ip, port)];
    }
    let fixed: Vec<SocketAddr> = [&node.ipv4, &node.ipv6]
        .into_iter()
        .filter_map(|text| text.parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, port))
        .collect();
    if !fixed.is_empty() {
        return fixed;
    }
    // Names with a colon are addresses in brackets to other programs.
    let name = node.host_name.trim_matches(['[', ']']);
    let Ok(all) = tokio::net::lookup_host((name, port)).await else {
        return Vec::new();
    };
    let all: Vec<SocketAddr> = all.collect();
    let first = |v6: bool| {
        let unwanted = if v6 { &node.ipv6 } else { &node.ipv4 };
        all.iter()
            .copied()
            .find(|address| address.is_ipv6() == v6 && unwanted != NONE)
    };
    [first(false), first(true)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnel_proto::derp_map::Region;

    #[tokio::test]
    async fn servers_of_the_map_with_their_ports() {
        let node = |ipv4: &str, stun_port| DerpNode {
            ipv4: ipv4.into(),
            stun_port,
            ..DerpNode::default()
        };
        let mut map = DerpMap::default();
        let nodes = vec![
            node("192.0.2.1", 0),
            node("192.0.2.2", -1),
            node("192.0.2.3", 19302),
        ];
        map.regions.insert(
            7,
            Region {
                nodes,
                ..Region::default()
            },
        );
        let servers = resolve(&map).await;
        let expected = ["192.0.2.1:3478", "192.0.2.3:19302"].map(|text| StunServer {
            region: 7,
            address: text.parse().unwrap(),
        });
        assert_eq!(servers, expected);
    }
}
