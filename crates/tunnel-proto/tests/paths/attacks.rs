//! What an attacker on the Internet can do: replay, forge and flood. Not: break the box.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;
use tunnel_proto::disco;
use tunnel_proto::stun;

use super::nat::Kind;
use super::network::Weather;
use super::world::{Place, World};

const EVERY: Duration = Duration::from_millis(100);

fn attacker() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 66], 6666))
}

fn world(kind: Kind) -> World {
    let place = Place { kind, v6: false };
    let weather = Weather {
        loss: 0,
        duplicate: 0,
        delay: Duration::from_millis(20),
        jitter: Duration::ZERO,
    };
    let mut world = World::new([place, place], false, false, weather, 5);
    world.network.tapped = true;
    world
}

fn uses_attacker(world: &World) -> bool {
    world
        .ends
        .iter()
        .any(|end| end.route(world.now).direct == Some(attacker()))
}

/// Everything that was overheard, again, from another place and from the right one.
#[test]
fn replayed_messages_change_no_path() {
    for kind in [Kind::Open, Kind::FullCone] {
        let mut world = world(kind);
        for _ in 0..30 {
            world.run(Duration::from_millis(500), EVERY);
            let overheard = world.network.overheard.clone();
            for (from, to, data) in overheard.iter().rev().take(50) {
                world.network.across(attacker(), *to, data, world.now);
                world.network.across(*from, *to, data, world.now);
            }
            world.network.overheard.clear();
            assert!(!uses_attacker(&world));
        }
        assert!(world.is_direct(), "{kind:?}");
        assert_eq!(world.lost_since([10, 10]).saturating_sub(4), 0);
    }
}

/// Messages that are not authentic: bits flipped, garbage, other keys, answers of STUN servers that
/// were never asked.
#[test]
fn forged_messages_do_nothing() {
    let mut world = world(Kind::Open);
    for round in 0..200u32 {
        world.run(Duration::from_millis(100), EVERY);
        let overheard = std::mem::take(&mut world.network.overheard);
        for (from, to, data) in overheard.iter().take(20) {
            let mut forged = data.clone();
            let at = world.network.rng.random_range(0..forged.len());
            forged[at] ^= 1 << world.network.rng.random_range(0..8);
            // Packets of the tunnel have no cipher here: theirs cannot be told.
            if disco::is_disco(data) {
                world.network.across(*from, *to, &forged, world.now);
                world.network.across(attacker(), *to, &forged, world.now);
            }
            let lie = stun::response(rand::random(), attacker());
            world.network.across(*from, *to, &lie, world.now);
            let mut garbage = vec![0; world.network.rng.random_range(0..1400)];
            world.network.rng.fill(garbage.as_mut_slice());
            garbage.splice(..garbage.len().min(6), disco::MAGIC);
            world.network.across(attacker(), *to, &garbage, world.now);
        }
        assert!(!uses_attacker(&world), "round {round}");
    }
    assert!(world.is_direct());
    for end in &world.ends {
        let peer = end.peers.get(end.peer.unwrap()).unwrap();
        let candidates = peer.path.status(world.now).candidates;
        assert!(
            candidates.iter().all(|known| known.address != attacker()),
            "{candidates:?}"
        );
    }
}

/// A flood of replayed pings is answered, but each once, and does not multiply.
#[test]
fn a_flood_is_not_amplified() {
    let mut world = world(Kind::Open);
    world.run(Duration::from_secs(5), EVERY);
    let (from, to, ping) = world
        .network
        .overheard
        .iter()
        .rev()
        .find(|(_, _, data)| disco::is_disco(data))
        .cloned()
        .unwrap();
    let before = world.network.datagrams;
    for n in 0..1000u16 {
        let source = SocketAddr::new(attacker().ip(), n + 1);
        world.network.across(source, to, &ping, world.now);
        world.network.across(from, to, &ping, world.now);
    }
    world.run(Duration::from_secs(1), EVERY);
    let answers = world.network.datagrams - before;
    assert!(answers < 1100, "{answers} datagrams for 2000");
    assert!(world.is_direct() && !uses_attacker(&world));
}
