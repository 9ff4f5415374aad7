//! The scenarios, one after another.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::clock;
use super::ends::Internet;
use super::topology::{Nat, Topology};

/// What is copied in each scenario.
const BYTES: usize = 256 << 10;

pub async fn all(topology: &Topology) {
    let internet = Internet::open(topology).await;
    kinds(topology, &internet).await;
    same_network(topology, &internet).await;
    ipv6(topology, &internet).await;
    network_report(topology, &internet).await;
    small_mtu(topology, &internet).await;
    path_that_dies(topology, &internet).await;
    black_hole(topology, &internet).await;
    roaming(topology, &internet).await;
    clock_that_jumps(topology, &internet).await;
    sleep(topology, &internet).await;
}

/// Every pair of kinds: direct where it can be, relayed with a reason where not.
async fn kinds(topology: &Topology, internet: &Internet) {
    use Nat::{Blocked, FullCone, Open, PortRestricted, Symmetric};
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    for (first, second, direct) in [
        (Open, Open, true),
        (PortRestricted, Open, true),
        (PortRestricted, FullCone, true),
        (PortRestricted, PortRestricted, true),
        (FullCone, FullCone, true),
        (Symmetric, Open, true),
        (Symmetric, FullCone, true),
        (FullCone, Symmetric, true),
        (Symmetric, PortRestricted, false),
        (Symmetric, Symmetric, false),
        (Blocked, Open, false),
    ] {
        topology.set(first, second);
        let pair = internet.pair(client, agent).await;
        let mut stream = pair.stream().await;
        pair.echo(&mut stream, BYTES).await;
        if direct {
            let address = pair.until_direct().await;
            println!("{first:?} to {second:?}: direct, {address}");
        } else {
            let why = pair.stays_relayed().await;
            println!("{first:?} to {second:?}: relayed, because {why}");
            if first == Nat::Blocked {
                assert!(why.contains("no STUN server answered"), "{why}");
            } else if first == Nat::Symmetric {
                assert!(why.contains("another port for each"), "{why}");
            }
        }
        pair.echo(&mut stream, BYTES).await;
    }
}

/// Both behind one router: they meet without it.
async fn same_network(topology: &Topology, internet: &Internet) {
    topology.set(Nat::Symmetric, Nat::Open);
    let hosts = &topology.sites[0].hosts;
    let pair = internet.pair(&hosts[0], &hosts[1]).await;
    let address = pair.until_direct().await;
    assert!(address.to_string().starts_with("10.1.0.12:"), "{address}");
    println!("one network: direct, {address}");
}

/// Hopeless by IPv4, easy by IPv6.
async fn ipv6(topology: &Topology, internet: &Internet) {
    topology.set(Nat::Symmetric, Nat::Symmetric);
    for site in &topology.sites {
        site.set_v6(true);
    }
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    let pair = internet.pair(client, agent).await;
    let address = pair.until_direct().await;
    assert!(address.is_ipv6(), "{address}");
    println!("IPv6 beside symmetric NAT: direct, {address}");
    // It disappears: the relay takes over, and the stream lives.
    let mut stream = pair.stream().await;
    pair.echo(&mut stream, BYTES).await;
    for site in &topology.sites {
        site.set_v6(false);
    }
    pair.echo(&mut stream, BYTES).await;
    pair.until_relayed().await;
    pair.echo(&mut stream, BYTES).await;
    println!("IPv6 taken away: relayed, the stream lives");
}

async fn network_report(topology: &Topology, internet: &Internet) {
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    for (nat, varies) in [(Nat::PortRestricted, false), (Nat::Symmetric, true)] {
        topology.set(nat, Nat::Open);
        let pair = internet.pair(client, agent).await;
        let report = pair.client.netcheck().await;
        assert!(report.udp && report.ipv4 && !report.ipv6, "{report:?}");
        assert_eq!(report.mapping_varies_by_destination, Some(varies));
        let global = report.global_v4.unwrap().to_string();
        assert!(global.starts_with("203.0.113.10:"), "{global}");
        println!("netcheck behind {nat:?}: as it is");
    }
}

/// A link that does not carry whole packets is no path, and is not taken for one. The relay's TCP
/// finds its size.
async fn small_mtu(topology: &Topology, internet: &Internet) {
    topology.set(Nat::PortRestricted, Nat::PortRestricted);
    let router = &topology.sites[1].router;
    router.ip("link set lan mtu 1300");
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    let pair = internet.pair(client, agent).await;
    let mut stream = pair.stream().await;
    pair.stays_relayed().await;
    pair.echo(&mut stream, BYTES).await;
    router.ip("link set lan mtu 1500");
    println!("MTU 1300: relayed");
}

/// UDP stops in the middle of a stream, and comes back.
async fn path_that_dies(topology: &Topology, internet: &Internet) {
    topology.set(Nat::PortRestricted, Nat::PortRestricted);
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    let pair = internet.pair(client, agent).await;
    let mut stream = pair.stream().await;
    pair.until_direct().await;
    pair.echo(&mut stream, BYTES).await;
    topology.sites[1].set(Nat::Blocked);
    pair.echo(&mut stream, BYTES).await;
    pair.until_relayed().await;
    println!("UDP dies: relayed, the stream lives");
    topology.sites[1].set(Nat::PortRestricted);
    pair.until_direct().await;
    pair.echo(&mut stream, BYTES).await;
    println!("UDP comes back: direct, the stream lives");
}

/// In the middle of a stream the direct path stops to carry whole packets, while small ones pass.
async fn black_hole(topology: &Topology, internet: &Internet) {
    topology.set(Nat::PortRestricted, Nat::PortRestricted);
    let router = &topology.sites[1].router;
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    let pair = internet.pair(client, agent).await;
    let mut stream = pair.stream().await;
    pair.until_direct().await;
    pair.echo(&mut stream, BYTES).await;
    router.ip("link set lan mtu 1300");
    pair.echo(&mut stream, BYTES).await;
    pair.until_relayed().await;
    pair.echo(&mut stream, BYTES).await;
    router.ip("link set lan mtu 1500");
    pair.until_direct().await;
    println!("MTU shrinks to 1300: relayed until it grows again, the stream lives");
}

/// The client gets another address, as when a laptop moves between networks.
async fn roaming(topology: &Topology, internet: &Internet) {
    topology.set(Nat::PortRestricted, Nat::PortRestricted);
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    let pair = internet.pair(client, agent).await;
    let mut stream = pair.stream().await;
    pair.until_direct().await;
    pair.echo(&mut stream, BYTES).await;
    client.ip("addr flush dev eth0 scope global");
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.ip("addr add 10.1.0.99/24 dev eth0");
    client.ip("route add default via 10.1.0.1");
    pair.echo(&mut stream, BYTES).await;
    pair.until_direct().await;
    let node = super::support::node(&pair.client);
    let local = node
        .endpoints
        .iter()
        .any(|at| at.ip().to_string() == "10.1.0.99");
    assert!(local, "the new address is published: {:?}", node.endpoints);
    println!("another address: direct again, the stream lives");
}

/// Somebody sets the time of day, forwards and then far back: neither paths nor streams take notice, and
/// who comes then is let in.
async fn clock_that_jumps(topology: &Topology, internet: &Internet) {
    topology.set(Nat::PortRestricted, Nat::PortRestricted);
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    let pair = internet.pair(client, agent).await;
    let mut stream = pair.stream().await;
    pair.until_direct().await;
    pair.echo(&mut stream, BYTES).await;
    for days in [1, -400, 0] {
        let before = SystemTime::now();
        clock::TIME_OF_DAY.store(days * 86_400, Ordering::Relaxed);
        assert_eq!(SystemTime::now() > before, days != -400, "it has jumped");
        pair.echo(&mut stream, BYTES).await;
        pair.until_direct().await;
        let later = internet.pair(client, agent).await;
        later.echo(&mut later.stream().await, BYTES).await;
        later.until_direct().await;
        println!("the time of day jumps to {days} days from now: direct, the stream lives");
    }
}

/// The machine sleeps for an hour: sockets are bound anew, and the stream goes on.
async fn sleep(topology: &Topology, internet: &Internet) {
    topology.set(Nat::PortRestricted, Nat::PortRestricted);
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    let pair = internet.pair(client, agent).await;
    let mut stream = pair.stream().await;
    pair.until_direct().await;
    clock::SLEEP.store(3600, Ordering::Relaxed);
    pair.echo(&mut stream, BYTES).await;
    pair.until_direct().await;
    pair.echo(&mut stream, BYTES).await;
    println!("a sleep of an hour: direct again, the stream lives");
}
