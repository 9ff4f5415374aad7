//! What a broken coordinator or a hostile peer's description says: it is read as far as it makes
//! sense, and bounded.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../tunnel-proto/tests/hostile/mutate.rs"]
mod mutate;

use std::time::Instant;

use mutate::{corpus, fuzz};
use prost::Message;
use rpc::proto::tailnet::{CoordinateResponse, DerpMap, Node};
use tunnel::coordinate::{derp_map_from_proto, node_from_proto, node_to_proto};
use tunnel::{PeerUpdate, PeerUpdateKind};
use tunnel_proto::key::{DiscoPrivate, NodePrivate};
use tunnel_proto::peers::{Identity, Peers};

fn node() -> Node {
    let address = "fd7a:115c:a1e0::1/128".to_owned();
    Node {
        id: 5,
        key: NodePrivate::from_bytes([1; 32]).public().to_binary(),
        disco: DiscoPrivate::from_bytes([2; 32]).public().to_string(),
        preferred_derp: 999,
        derp_latency: [("999-v4".to_owned(), 0.01)].into(),
        addresses: vec![address.clone()],
        allowed_ips: vec![address],
        endpoints: vec!["192.0.2.1:5".into(), "[2001:db8::1]:6".into()],
        ..Node::default()
    }
}

#[test]
fn descriptions_of_peers() {
    let mut inputs = corpus(include_str!("corpus/node.hex"));
    inputs.push(node().encode_to_vec());
    let identity = Identity {
        node: NodePrivate::from_bytes([3; 32]),
        disco: DiscoPrivate::from_bytes([4; 32]),
    };
    let mut peers = Peers::new(identity, 7);
    let now = Instant::now();
    let mut id = 0u128;
    fuzz(&inputs, |input| {
        let Some(read) = Node::decode(input).ok().and_then(node_from_proto) else {
            return;
        };
        assert!(read.endpoints.len() <= 64 && read.addresses.len() <= 64);
        // What was understood stays so.
        let again = node_from_proto(node_to_proto(&read)).unwrap();
        assert_eq!(again.addresses, read.addresses);
        id = (id + 1) % 16;
        let update = PeerUpdate {
            id: uuid::Uuid::from_u128(id),
            kind: PeerUpdateKind::Node(Box::new(read)),
        };
        peers.apply(update.id, update.kind, now);
        assert!(peers.iter().count() <= 16);
    });
}

#[test]
fn maps_and_answers() {
    let mut inputs = corpus(include_str!("corpus/map.hex"));
    let mut map = DerpMap::default();
    map.regions.insert(1, Default::default());
    inputs.push(map.encode_to_vec());
    fuzz(&inputs, |input| {
        if let Ok(map) = DerpMap::decode(input) {
            let read = derp_map_from_proto(map);
            assert!(read.regions.len() <= 1024);
        }
        // An answer holds descriptions; whether it is one is all that is asked of it here.
        let _ = CoordinateResponse::decode(input);
    });
}
