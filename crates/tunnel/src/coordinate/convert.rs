//! Between the coordinator's messages and this crate's types. Lenient: what cannot be read is left
//! out, so that peers of later versions still work.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};

use rpc::proto::tailnet;
use rpc::proto::tailnet::coordinate_response::PeerUpdate as ProtoUpdate;
use rpc::proto::tailnet::coordinate_response::peer_update::Kind;
use rpc::proto::tailnet::derp_map::region::Node as ProtoRelay;
use rpc::proto::tailnet::derp_map::{HomeParams as ProtoHomeParams, Region as ProtoRegion};
use tunnel_proto::key::NodePublic;
use uuid::Uuid;

use crate::{DerpMap, DerpNode, HomeParams, Node, PeerUpdate, PeerUpdateKind, Region};

/// Most regions taken from a map, and most relays of a region.
const MAX_REGIONS: usize = 1024;
/// Most addresses or endpoints taken from a description.
const MAX_ADDRESSES: usize = 64;
/// Host addresses travel as networks of one.
const HOST_SUFFIX: &str = "/128";

/// A description for the coordinator.
pub fn node_to_proto(node: &Node) -> tailnet::Node {
    let hosts = |list: &[Ipv6Addr]| list.iter().map(|ip| format!("{ip}{HOST_SUFFIX}")).collect();
    tailnet::Node {
        id: node.id,
        as_of: Some(std::time::SystemTime::now().into()),
        key: node.key.to_binary(),
        disco: node.disco.to_string(),
        preferred_derp: i32::from(node.preferred_derp),
        derp_latency: node.derp_latency.clone(),
        derp_forced_websocket: node
            .derp_forced_websocket
            .iter()
            .map(|(&region, reason)| (i32::from(region), reason.clone()))
            .collect(),
        addresses: hosts(&node.addresses),
        allowed_ips: hosts(&node.allowed_ips),
        endpoints: node.endpoints.iter().map(ToString::to_string).collect(),
    }
}

/// A description from the coordinator; `None` without usable keys.
pub fn node_from_proto(node: tailnet::Node) -> Option<Node> {
    let hosts = |list: Vec<String>| -> Vec<Ipv6Addr> {
        let hosts = list
            .iter()
            .filter_map(|text| text.strip_suffix(HOST_SUFFIX)?.parse().ok());
        hosts.take(MAX_ADDRESSES).collect()
    };
    Some(Node {
        id: node.id,
        key: NodePublic::from_binary(&node.key).ok()?,
        disco: node.disco.parse().ok()?,
        preferred_derp: u16::try_from(node.preferred_derp).unwrap_or(0),
        derp_latency: node.derp_latency,
        derp_forced_websocket: node
            .derp_forced_websocket
            .into_iter()
            .filter_map(|(region, reason)| Some((u16::try_from(region).ok()?, reason)))
            .collect(),
        addresses: hosts(node.addresses),
        allowed_ips: hosts(node.allowed_ips),
        endpoints: node
            .endpoints
            .iter()
            .filter_map(|text| text.parse::<SocketAddr>().ok())
            .take(MAX_ADDRESSES)
            .collect(),
    })
}

/// News of a peer; `None` if they are of an unknown kind or unreadable.
pub(super) fn peer_update_from_proto(update: ProtoUpdate) -> Option<PeerUpdate> {
    let kind = match update.kind() {
        Kind::Node => PeerUpdateKind::Node(Box::new(node_from_proto(update.node?)?)),
        Kind::Disconnected => PeerUpdateKind::Disconnected,
        Kind::Lost => PeerUpdateKind::Lost,
        Kind::ReadyForHandshake => PeerUpdateKind::ReadyForHandshake,
        Kind::Unspecified => return None,
    };
    Some(PeerUpdate {
        id: Uuid::from_slice(&update.id).ok()?,
        kind,
    })
}

/// A relay map from the server. Regions whose number does not fit 16 bits are left out.
pub fn derp_map_from_proto(map: tailnet::DerpMap) -> DerpMap {
    let score = map.home_params.map(|params| HomeParams {
        region_score: params
            .region_score
            .into_iter()
            .filter_map(|(region, score)| Some((u16::try_from(region).ok()?, score)))
            .collect(),
    });
    let regions: BTreeMap<u16, Region> = map
        .regions
        .into_iter()
        .filter_map(|(id, region)| {
            let id = u16::try_from(id).ok().filter(|id| *id != 0)?;
            Some((id, region_from_proto(id, region)))
        })
        .take(MAX_REGIONS)
        .collect();
    DerpMap {
        home_params: score,
        regions,
    }
}

fn region_from_proto(id: u16, region: ProtoRegion) -> Region {
    Region {
        embedded_relay: region.embedded_relay,
        region_id: id,
        region_code: region.region_code,
        region_name: region.region_name,
        avoid: region.avoid,
        nodes: region
            .nodes
            .into_iter()
            .take(MAX_REGIONS)
            .map(|node| DerpNode {
                name: node.name,
                region_id: id,
                host_name: node.host_name,
                cert_name: node.cert_name,
                ipv4: node.ipv4,
                ipv6: node.ipv6,
                stun_port: node.stun_port,
                stun_only: node.stun_only,
                derp_port: node.derp_port,
                insecure_for_tests: node.insecure_for_tests,
                force_http: node.force_http,
                stun_test_ip: node.stun_test_ip,
                can_port_80: node.can_port_80,
            })
            .collect(),
    }
}

/// A relay map for clients and agents.
pub fn derp_map_to_proto(map: &DerpMap) -> tailnet::DerpMap {
    let region_score = map
        .home_params
        .iter()
        .flat_map(|params| &params.region_score);
    let region_score = region_score
        .map(|(&region, &score)| (i64::from(region), score))
        .collect();
    tailnet::DerpMap {
        // Go peers need it to be present, even if empty.
        home_params: Some(ProtoHomeParams { region_score }),
        regions: map
            .regions
            .iter()
            .map(|(&id, region)| (i64::from(id), region_to_proto(region)))
            .collect(),
    }
}

fn region_to_proto(region: &Region) -> ProtoRegion {
    let node = |node: &DerpNode| ProtoRelay {
        name: node.name.clone(),
        region_id: i64::from(node.region_id),
        host_name: node.host_name.clone(),
        cert_name: node.cert_name.clone(),
        ipv4: node.ipv4.clone(),
        ipv6: node.ipv6.clone(),
        stun_port: node.stun_port,
        stun_only: node.stun_only,
        derp_port: node.derp_port,
        insecure_for_tests: node.insecure_for_tests,
        force_http: node.force_http,
        stun_test_ip: node.stun_test_ip.clone(),
        can_port_80: node.can_port_80,
    };
    ProtoRegion {
        region_id: i64::from(region.region_id),
        embedded_relay: region.embedded_relay,
        region_code: region.region_code.clone(),
        region_name: region.region_name.clone(),
        avoid: region.avoid,
        nodes: region.nodes.iter().map(node).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnel_proto::key::DiscoPublic;

    fn node() -> Node {
        Node {
            id: 5,
            key: NodePublic([1; 32]),
            disco: DiscoPublic([2; 32]),
            preferred_derp: 999,
            derp_latency: [("999-v4".to_owned(), 0.01)].into(),
            derp_forced_websocket: [(999, "x".to_owned())].into(),
            addresses: vec![Ipv6Addr::LOCALHOST],
            allowed_ips: vec![Ipv6Addr::LOCALHOST],
            endpoints: vec!["[::1]:5".parse().unwrap(), "10.0.0.1:6".parse().unwrap()],
        }
    }

    #[test]
    fn descriptions_round_trip() {
        let proto = node_to_proto(&node());
        assert_eq!(proto.addresses, ["::1/128"]);
        assert_eq!(node_from_proto(proto), Some(node()));
    }

    #[test]
    fn unreadable_parts_are_left_out_and_unreadable_keys_refused() {
        let mut proto = node_to_proto(&node());
        proto.addresses = vec![
            "10.0.0.1/32".into(),
            "::/0".into(),
            "::2/128".into(),
            "x".into(),
        ];
        proto.endpoints = vec!["nowhere".into(), "1.2.3.4:99999".into()];
        proto.preferred_derp = -1;
        let read = node_from_proto(proto.clone()).unwrap();
        assert_eq!(read.addresses, [Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 2)]);
        assert!(read.endpoints.is_empty() && !read.is_usable());
        for broken in [
            tailnet::Node {
                key: vec![1],
                ..proto.clone()
            },
            tailnet::Node {
                disco: "discokey:".into(),
                ..proto.clone()
            },
            tailnet::Node::default(),
        ] {
            assert_eq!(node_from_proto(broken), None);
        }
        let kind = Kind::Node.into();
        let update = ProtoUpdate {
            id: vec![1; 15],
            kind,
            node: Some(proto),
            ..ProtoUpdate::default()
        };
        assert!(peer_update_from_proto(update).is_none());
        let update = ProtoUpdate {
            id: vec![1; 16],
            kind,
            ..ProtoUpdate::default()
        };
        assert!(peer_update_from_proto(update).is_none());
    }

    #[test]
    fn maps_round_trip_and_odd_regions_are_left_out() {
        let relay = DerpNode {
            region_id: 7,
            host_name: "h".into(),
            force_http: true,
            ..DerpNode::default()
        };
        let region = Region {
            region_id: 7,
            embedded_relay: true,
            nodes: vec![relay],
            ..Region::default()
        };
        let home_params = Some(HomeParams {
            region_score: [(7, 0.5)].into(),
        });
        let map = DerpMap {
            home_params,
            regions: [(7, region)].into(),
        };
        let mut proto = derp_map_to_proto(&map);
        for odd in [-1, 0, 1 << 40] {
            proto.regions.insert(odd, ProtoRegion::default());
        }
        assert_eq!(derp_map_from_proto(proto), map);
        assert!(derp_map_to_proto(&DerpMap::default()).home_params.is_some());
    }
}
