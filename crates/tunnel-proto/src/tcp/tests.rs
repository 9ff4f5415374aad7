//! The state machine on the simulated link.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use super::simulation::{Link, World, byte};
use super::{Addresses, Connection, End, Limits};

const MS: Duration = Duration::from_millis(1);

fn run(link: Link, seed: u64, goals: [usize; 2]) -> World {
    let mut world = World::new(link, seed, goals);
    world.run();
    world.check();
    world
}

#[test]
fn thousands_of_random_networks_deliver_every_byte() {
    for seed in 0..3000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut often = |chance: f64, most: f64| {
            if rng.random_bool(chance) {
                rng.random_range(0.0..most)
            } else {
                0.0
            }
        };
        let loss = often(0.7, 0.1);
        let duplicate = often(0.4, 0.1);
        let jitter = MS.mul_f64(often(0.4, 30.0));
        let rate = often(0.5, 2e6);
        let delay = MS.mul_f64(0.05 + often(0.8, 80.0));
        let link = Link {
            delay,
            jitter,
            loss,
            duplicate,
            rate: if rate > 0.0 { rate + 20_000.0 } else { 0.0 },
            queue: 3000.0 + often(0.9, 100_000.0),
        };
        let goals = [0, 0]
            .map(|_| 1usize << rng.random_range(0..17))
            .map(|most| rng.random_range(0..most));
        let mut world = World::new(link, seed, goals);
        if rng.random_bool(0.2) {
            world.read_pause = MS * rng.random_range(1..200);
        }
        world.run();
        world.check();
    }
}

/// A link of so many Mbit/s whose queue holds a round trip's worth times `queue`.
fn link(mbit: f64, round_trip: Duration, queue: f64, loss: f64) -> Link {
    let rate = mbit * 125_000.0;
    Link {
        delay: round_trip / 2,
        jitter: Duration::ZERO,
        loss,
        duplicate: 0.0,
        rate,
        queue: rate * round_trip.as_secs_f64() * queue,
    }
}

/// The part of the ideal that a transfer of `len` bytes reaches: the link's rate, or one window per
/// round trip.
fn efficiency(link: Link, seed: u64, len: usize) -> (f64, f64) {
    let world = run(link, seed, [len, 0]);
    let round_trip = 2.0 * link.delay.as_secs_f64();
    let window = super::simulation::LIMITS.receive_window as f64;
    let payload = link.rate * 1220.0 / 1280.0;
    let best = len as f64 / payload.min(window / round_trip) + 3.0 * round_trip;
    let waste = world.payload[0] as f64 / len as f64 - 1.0;
    (best / world.elapsed().as_secs_f64(), waste)
}

#[test]
fn bulk_transfers_come_near_the_ideal() {
    // Mbit/s, round trip in ms, queue in round trips, loss; the part of the ideal to reach.
    // Slow start overshoots once; that may not be more than a tenth of so short a transfer.
    for (mbit, round_trip, queue, loss, least) in [
        (100.0, 20, 1.0, 0.0, 0.9),
        (100.0, 20, 0.1, 0.0, 0.6),
        (100.0, 20, 1.0, 0.001, 0.85),
        (100.0, 20, 1.0, 0.01, 0.4),
        (100.0, 100, 1.0, 0.0001, 0.7),
        (100.0, 100, 1.0, 0.001, 0.6),
        (10.0, 50, 2.0, 0.001, 0.9),
        (1000.0, 1, 2.0, 0.001, 0.9),
    ] {
        let link = link(mbit, MS * round_trip, queue, loss);
        let (got, wasted) = efficiency(link, 1, 12 << 20);
        let case = format!("{mbit} Mbit/s, {round_trip} ms, queue {queue}, loss {loss}");
        println!(
            "{case}: {:.0}% of the ideal, {:.1}% sent twice",
            got * 100.0,
            wasted * 100.0
        );
        assert!(got >= least, "{case}: {got}");
        assert!(wasted <= 0.1 + loss, "{case}: {wasted} sent twice");
    }
}

#[test]
fn a_deep_queue_is_not_filled() {
    // Half a second of it, in which keys would wait too.
    let mut world = World::new(link(20.0, MS * 10, 50.0, 0.0), 1, [usize::MAX, 0]);
    world.start();
    while world.elapsed() < MS * 3000 {
        assert!(world.step());
    }
    let rtt = connection(&mut world, 0).rtt().unwrap();
    assert!(rtt < MS * 50, "{rtt:?}");
    // Of 7.5 MB.
    assert!(world.peers[1].read > 6_000_000, "{}", world.peers[1].read);
}

#[test]
fn reordering_alone_causes_little_repetition() {
    let mut link = link(50.0, MS * 40, 2.0, 0.0);
    link.jitter = MS * 8;
    let (got, wasted) = efficiency(link, 3, 8 << 20);
    println!("{got} {wasted}");
    assert!(got > 0.5, "{got}");
    assert!(wasted < 0.15, "{wasted} sent twice");
}

/// Two ends that know each other, and write nothing by themselves.
fn opened(link: Link) -> World {
    let mut world = World::new(link, 1, [usize::MAX; 2]);
    for peer in &mut world.peers {
        peer.written = usize::MAX;
    }
    world.start();
    while !world.peers.iter().all(|peer| {
        peer.connection
            .as_ref()
            .is_some_and(Connection::is_established)
    }) {
        assert!(world.step());
    }
    world
}

fn end(world: &World, at: usize) -> Option<End> {
    world.peers[at]
        .connection
        .as_ref()
        .and_then(Connection::end)
}

fn connection(world: &mut World, at: usize) -> &mut Connection {
    world.peers[at].connection.as_mut().unwrap()
}

#[test]
fn an_open_connection_is_quiet_but_for_its_questions() {
    let mut world = opened(Link::CALM);
    while world.step() {}
    assert_eq!(world.packets, [2, 1], "the handshake");
    let limits = Limits {
        keep_alive: Some(MS * 1000),
        silence: MS * 60_000,
        ..super::simulation::LIMITS
    };
    connection(&mut world, 0).set_limits(limits);
    for _ in 0..100 {
        assert!(world.step());
    }
    assert_eq!((end(&world, 0), end(&world, 1)), (None, None));
    world.cut_off = true;
    while end(&world, 0).is_none() {
        assert!(world.step());
    }
    assert_eq!(end(&world, 0), Some(End::TimedOut));
}

#[test]
fn an_echo_acknowledges_what_it_answers() {
    let mut world = opened(Link::CALM);
    let mut before = world.packets;
    for key in 0..11 {
        if key == 1 {
            // The first also told of windows larger than those of the handshake.
            before = world.packets;
        }
        for at in 0..2 {
            connection(&mut world, at).write(&[byte(key)]);
            world.start();
            while world.peers[1 - at].read == key {
                assert!(world.step());
            }
        }
    }
    let sent = |world: &World| [0, 1].map(|at| world.packets[at] - before[at]);
    assert_eq!(sent(&world), [10, 10], "nothing but the keys");
    while connection(&mut world, 1).is_sending() {
        assert!(world.step());
    }
    assert_eq!(sent(&world), [11, 10], "the last is acknowledged by itself");
    // Nobody waits with a packet that is full.
    let more: Vec<u8> = (11..11 + super::MSS).map(byte).collect();
    connection(&mut world, 0).write(&more);
    world.start();
    while world.peers[1].read == 11 {
        assert!(world.step());
    }
    assert_eq!(sent(&world), [12, 11]);
}

#[test]
fn a_peer_that_is_not_there_is_given_up() {
    let mut world = World::new(Link::CALM, 1, [10, 0]);
    world.cut_off = true;
    world.start();
    while end(&world, 0).is_none() {
        assert!(world.step());
    }
    assert_eq!(end(&world, 0), Some(End::TimedOut));
    assert!(world.packets[0] < 60);
}

#[test]
fn a_reset_ends_the_other_side() {
    let mut world = opened(Link::CALM);
    connection(&mut world, 1).abort();
    world.start();
    while world.step() {}
    assert_eq!(end(&world, 0), Some(End::Reset));
    assert_eq!(end(&world, 1), Some(End::Aborted));
}

#[test]
fn an_outage_delays_but_does_not_end_a_transfer() {
    let mut world = World::new(link(20.0, MS * 30, 1.0, 0.0), 5, [4 << 20, 0]);
    world.start();
    while world.peers[1].read < 1 << 20 {
        assert!(world.step());
    }
    world.cut_off = true;
    let until = world.now + Duration::from_mins(1);
    while world.now < until {
        assert!(world.step());
    }
    world.cut_off = false;
    world.run();
    world.check();
    assert!(
        world.elapsed() < Duration::from_secs(90),
        "{:?}",
        world.elapsed()
    );
}

#[test]
fn both_may_close_at_once() {
    let mut world = opened(Link::CALM);
    for at in 0..2 {
        connection(&mut world, at).close();
    }
    world.start();
    while world.step() {}
    assert_eq!(
        (end(&world, 0), end(&world, 1)),
        (Some(End::Closed), Some(End::Closed))
    );
}

#[test]
fn both_may_ask_at_once() {
    let mut world = World::new(Link::CALM, 1, [5000, 7000]);
    let second = Connection::connect(
        super::simulation::addresses()[1],
        77,
        super::simulation::LIMITS,
        world.now,
    );
    world.peers[1].connection = Some(second);
    world.run();
    world.check();
}

#[test]
fn a_stopped_reader_stops_the_writer_and_memory_is_given_back() {
    let mut world = World::new(Link::CALM, 1, [64 << 20, 0]);
    world.read_pause = Duration::from_hours(1);
    world.start();
    let until = world.now + Duration::from_mins(30);
    while world.now < until {
        assert!(world.step());
    }
    let window = super::simulation::LIMITS.receive_window;
    let unread = connection(&mut world, 1).unread();
    assert!(unread <= window && unread > window / 2, "{unread}");
    let full = (window / super::MSS) as u64;
    assert!(
        world.packets[0] < 2 * full,
        "probes of the window grow rare"
    );
    world.read_pause = Duration::ZERO;
    world.run();
    world.check();
}

#[test]
fn hostile_segments_change_nothing() {
    let mut rng = StdRng::seed_from_u64(9);
    for seed in 0..300 {
        let mut world = World::new(
            Link {
                loss: 0.01,
                ..Link::CALM
            },
            seed,
            [40_000, 40_000],
        );
        world.start();
        let mut steps = 0;
        while world.peers[0].read < 40_000 || world.peers[1].read < 40_000 {
            assert!(world.step());
            steps += 1;
            assert!(steps <= 20_000, "no end");
            // Blind: random sequence numbers. Options are random bytes.
            let mut tcp = vec![0; 20 + 4 * rng.random_range(0..10)];
            rng.fill_bytes(&mut tcp);
            let to = rng.random_range(0..2);
            let Addresses { local, remote } = super::simulation::addresses()[to];
            tcp[..2].copy_from_slice(&remote.port().to_be_bytes());
            tcp[2..4].copy_from_slice(&local.port().to_be_bytes());
            tcp[12] = (tcp.len() as u8 / 4) << 4;
            let mut packet = Vec::new();
            crate::packet::put_ipv6(
                &mut packet,
                *remote.ip(),
                *local.ip(),
                crate::packet::TCP,
                tcp.len() as u16,
            );
            packet.extend(tcp);
            let peer = &world.peers[to].connection;
            if peer.as_ref().is_some_and(Connection::is_established) {
                world.deliver(to, &packet);
            }
        }
    }
}
