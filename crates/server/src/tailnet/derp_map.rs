//! The map of relays that the deployment's options make.

use tunnel_proto::derp_map::{DerpMap, DerpNode, Region};
use url::Url;

use super::TailnetSettings;

/// Port of STUN when an address names none.
const STUN_PORT: u16 = 3478;

/// The map of a deployment reached at `access_url`: the administrator's regions and the options'.
pub(super) fn build(access_url: &Url, options: &TailnetSettings) -> DerpMap {
    let mut map = options.own.clone();
    if options.block_direct {
        without_stun(&mut map);
    }
    if options.relay {
        let id = options.region_id;
        map.regions.insert(id, embedded(id, access_url, options));
    }
    for (id, address) in stun_regions(options) {
        map.regions.insert(id, stun(id, address));
    }
    map
}

/// The numbers of the regions that the options make.
pub(super) fn regions_of_options(options: &TailnetSettings) -> Vec<u16> {
    let relay = options.relay.then_some(options.region_id);
    let stun = stun_regions(options).map(|(id, _)| id);
    relay.into_iter().chain(stun).collect()
}

/// Each STUN server is a region of its own, after the embedded relay's: peers ask one per region.
fn stun_regions(options: &TailnetSettings) -> impl Iterator<Item = (u16, &str)> {
    let ids = options.region_id..=u16::MAX;
    ids.skip(1)
        .zip(options.stun_addresses.iter().map(String::as_str))
        .filter(|_| !options.block_direct)
}

/// Leaves relays alone: nobody is to look for direct paths.
fn without_stun(map: &mut DerpMap) {
    for region in map.regions.values_mut() {
        region.nodes.retain(|node| !node.stun_only);
        for node in &mut region.nodes {
            node.stun_port = -1;
        }
    }
    map.regions.retain(|_, region| !region.nodes.is_empty());
}

fn embedded(id: u16, access_url: &Url, options: &TailnetSettings) -> Region {
    Region {
        embedded_relay: true,
        region_id: id,
        region_code: options.region_code.clone(),
        region_name: options.region_name.clone(),
        avoid: false,
        nodes: vec![DerpNode {
            name: format!("{id}b"),
            region_id: id,
            // Clients put in its place the host by which they reach the server.
            host_name: access_url.host_str().unwrap_or("localhost").to_owned(),
            derp_port: access_url.port_or_known_default().unwrap_or(443).into(),
            // The STUN server is told with the relay: both are where the server is.
            stun_port: options
                .stun_listen
                .first()
                .filter(|_| !options.block_direct)
                .map_or(-1, |address| address.port().into()),
            force_http: access_url.scheme() == "http",
            ..DerpNode::default()
        }],
    }
}

fn stun(id: u16, address: &str) -> Region {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(STUN_PORT)),
        None => (address, STUN_PORT),
    };
    Region {
        embedded_relay: false,
        region_id: id,
        region_code: format!("coder_stun_{id}"),
        region_name: format!("Coder STUN {id}"),
        avoid: false,
        nodes: vec![DerpNode {
            name: format!("{id}stun0"),
            region_id: id,
            host_name: host.trim_matches(['[', ']']).to_owned(),
            stun_port: port.into(),
            stun_only: true,
            ..DerpNode::default()
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TailnetSettings {
        TailnetSettings {
            stun_addresses: vec!["stun.example.com:19302".to_owned(), "[::1]:3479".to_owned()],
            ..TailnetSettings::default()
        }
    }

    #[test]
    fn the_embedded_relay_is_where_the_server_is() {
        let url = "http://127.0.0.1:3000".parse().unwrap();
        let map = build(&url, &options());
        let node = &map.regions[&999].nodes[0];
        assert_eq!(
            (node.host_name.as_str(), node.derp_port),
            ("127.0.0.1", 3000)
        );
        assert!(node.force_http && map.regions[&999].embedded_relay);
        assert_eq!(node.stun_port, -1);
        let url = "https://coder.example.com".parse().unwrap();
        let node = &build(&url, &options()).regions[&999].nodes[0];
        assert_eq!((node.derp_port, node.force_http), (443, false));
    }

    #[test]
    fn stun_servers_are_regions_unless_direct_paths_are_blocked() {
        let url = "https://x".parse().unwrap();
        let map = build(&url, &options());
        assert_eq!(map.regions[&1000].nodes[0].stun_port, 19302);
        assert_eq!(map.regions[&1001].nodes[0].host_name, "::1");
        let mut blocked = options();
        blocked.stun_listen = vec!["0.0.0.0:3478".parse().unwrap()];
        let map = build(&url, &blocked);
        assert_eq!(map.regions[&999].nodes[0].stun_port, 3478);
        blocked.block_direct = true;
        let map = build(&url, &blocked);
        assert_eq!(map.regions[&999].nodes[0].stun_port, -1);
        assert_eq!(build(&url, &blocked).regions.len(), 1);
    }

    #[test]
    fn own_regions_stand_beside_the_embedded_one() {
        let node = |name: &str, stun_only| DerpNode {
            name: name.to_owned(),
            region_id: 7,
            host_name: "relay.example.com".to_owned(),
            stun_only,
            ..DerpNode::default()
        };
        let region = |nodes| Region {
            region_id: 7,
            nodes,
            ..Region::default()
        };
        let url = "https://x".parse().unwrap();
        let mut own = options();
        own.own
            .regions
            .insert(7, region(vec![node("a", false), node("s", true)]));
        own.own.regions.insert(8, region(vec![node("t", true)]));
        let map = build(&url, &own);
        assert_eq!(
            map.regions.keys().copied().collect::<Vec<_>>(),
            [7, 8, 999, 1000, 1001]
        );
        own.block_direct = true;
        let map = build(&url, &own);
        assert_eq!(map.regions.keys().copied().collect::<Vec<_>>(), [7, 999]);
        assert_eq!(
            (
                map.regions[&7].nodes.len(),
                map.regions[&7].nodes[0].stun_port
            ),
            (1, -1)
        );
    }
}
