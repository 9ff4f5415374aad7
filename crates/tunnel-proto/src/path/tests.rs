//! The path of one peer on a virtual clock.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::disco::TransactionId;

const MS: Duration = Duration::from_millis(1);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

struct World {
    path: Path,
    now: Instant,
    rng: StdRng,
}

impl World {
    fn new() -> Self {
        let mut path = Path::default();
        path.set_home(1);
        Self {
            path,
            now: Instant::now(),
            rng: StdRng::seed_from_u64(1),
        }
    }

    fn route(&self) -> (Option<SocketAddr>, Option<u16>) {
        let route = self.path.route(self.now);
        (route.direct, route.relay)
    }

    fn send(&mut self, count: u32) {
        if self.path.sent(count, self.now) {
            self.path.handle_timeout(self.now, &mut self.rng);
        }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.path.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.path.handle_timeout(self.now, &mut self.rng);
        }
        self.now = until;
    }

    fn pings(&mut self) -> Vec<(Via, TransactionId)> {
        let probes = self.path.take_probes().into_iter();
        probes
            .filter_map(|probe| match probe {
                Probe::Ping { via, transaction } => Some((via, transaction)),
                Probe::CallMeMaybe => None,
            })
            .collect()
    }

    /// Answers a ping of `address` after `latency`.
    fn prove(&mut self, address: SocketAddr, latency: Duration) {
        self.now += Duration::from_secs(1);
        self.path.pinged_from(address, self.now, &mut self.rng);
        self.path.called(&[address], self.now, &mut self.rng);
        let pings = self.pings();
        let asked = pings.iter().find(|(via, _)| *via == Via::Direct(address));
        let transaction = if let Some((_, transaction)) = asked {
            *transaction
        } else {
            self.path.probe(self.now, &mut self.rng);
            self.pings()
                .iter()
                .find(|(via, _)| *via == Via::Direct(address))
                .unwrap()
                .1
        };
        self.now += latency;
        let answered = self.path.pong(&transaction, self.now, &mut self.rng);
        assert_eq!(answered.unwrap().latency, latency);
    }
}

#[test]
fn relay_first_by_home_then_where_heard() {
    let mut path = Path::default();
    let now = Instant::now();
    assert_eq!(path.route(now), Route::default());
    path.set_home(1);
    assert_eq!(path.route(now).relay, Some(1));
    path.heard_on_relay(2);
    path.set_home(1);
    assert_eq!(path.route(now).relay, Some(2));
    path.gone_from_relay(2);
    assert_eq!(path.route(now).relay, Some(1));
    path.heard_on_relay(2);
    path.set_home(3);
    assert_eq!(path.route(now).relay, Some(3));
}

#[test]
fn a_direct_path_is_alone_only_while_trusted() {
    let mut world = World::new();
    let address = at("192.0.2.1:5");
    world.prove(address, 9 * MS);
    assert_eq!(world.route(), (Some(address), None));
    world.now += TRUST;
    assert_eq!(world.route(), (Some(address), Some(1)));
    world.path.set_blocked(true);
    assert_eq!(world.route(), (None, Some(1)));
}

#[test]
fn the_better_address_wins_with_hysteresis_and_bonuses() {
    let mut world = World::new();
    let best = |world: &World| world.path.route(world.now).direct.unwrap();
    world.prove(at("192.0.2.1:5"), 1000 * MS);
    world.prove(at("192.0.2.2:5"), 995 * MS);
    assert_eq!(best(&world), at("192.0.2.1:5"));
    world.prove(at("192.0.2.2:5"), 980 * MS);
    assert_eq!(best(&world), at("192.0.2.2:5"));
    world.prove(at("10.0.0.1:5"), 1100 * MS);
    assert_eq!(best(&world), at("10.0.0.1:5"));
    world.prove(at("[2001:db8::1]:5"), 950 * MS);
    assert_eq!(best(&world), at("[2001:db8::1]:5"));
    // A new pong of the best address keeps it, however slow.
    world.prove(at("[2001:db8::1]:5"), 4000 * MS);
    assert_eq!(best(&world), at("[2001:db8::1]:5"));
}

#[test]
fn nothing_is_asked_while_nothing_is_sent() {
    let mut world = World::new();
    let address = at("192.0.2.1:5");
    world.path.set_endpoints(&[address], world.now);
    world.wait(Duration::from_mins(10));
    assert!(world.path.take_probes().is_empty());
    world.send(1);
    let probes = world.path.take_probes();
    assert!(probes.contains(&Probe::CallMeMaybe) && probes.len() == 2);
    // After the last packet the rounds end.
    world.wait(IDLE * 2);
    world.path.take_probes();
    assert_eq!(world.path.next_deadline(), None);
}

#[test]
fn rounds_become_rare_and_begin_anew_with_news() {
    let mut world = World::new();
    world.path.set_endpoints(&[at("192.0.2.1:5")], world.now);
    let mut rounds = 0;
    for _ in 0..600 {
        world.send(1);
        world.wait(Duration::from_millis(500));
        rounds += world.pings().len();
    }
    assert!((30..45).contains(&rounds), "{rounds} in 300 s");
    world.path.set_endpoints(&[at("192.0.2.2:5")], world.now);
    world.wait(MS);
    assert_eq!(world.pings().len(), 1, "the new one at once");
}

#[test]
fn a_path_in_use_is_kept_proven_and_doubted_soon_when_silent() {
    let mut world = World::new();
    let address = at("192.0.2.1:5");
    world.prove(address, 10 * MS);
    for _ in 0..100 {
        world.send(1);
        world.wait(100 * MS);
        for (via, transaction) in world.pings() {
            world.now += 10 * MS;
            assert_eq!(via, Via::Direct(address));
            world.path.pong(&transaction, world.now, &mut world.rng);
        }
        assert_eq!(world.route(), (Some(address), None));
    }
    // From here on nothing is answered.
    let begun = world.now;
    while world.route().1.is_none() {
        world.send(1);
        world.wait(50 * MS);
        assert!(world.now - begun < Duration::from_secs(3));
    }
    while world.route().0.is_some() {
        world.send(1);
        world.wait(50 * MS);
        assert!(world.now - begun < Duration::from_secs(10));
    }
    assert_eq!(world.route(), (None, Some(1)));
}

#[test]
fn forged_pongs_answer_nothing() {
    let mut world = World::new();
    let address = at("192.0.2.1:5");
    world.path.called(&[address], world.now, &mut world.rng);
    let (_, transaction) = world.pings()[0];
    let (path, rng) = (&mut world.path, &mut world.rng);
    assert_eq!(path.pong(&[7; 12], world.now, rng), None);
    assert!(path.pong(&transaction, world.now, rng).is_some());
    assert_eq!(path.pong(&transaction, world.now, rng), None, "only once");
}

#[test]
fn calls_cannot_make_us_flood() {
    let mut world = World::new();
    let many: Vec<SocketAddr> = (1..=64)
        .map(|n| SocketAddr::from(([192, 0, 2, 1], n)))
        .collect();
    for _ in 0..1000 {
        world.path.called(&many, world.now, &mut world.rng);
        world.now += MS;
    }
    let pings = world.pings().len();
    assert!(pings <= 6 * MAX_CANDIDATES, "{pings} in a second");
}

#[test]
fn bulk_data_waits_until_the_relay_is_through() {
    let mut world = World::new();
    let address = at("192.0.2.1:5");
    world.send(10_000);
    world.prove(address, MS);
    assert!(world.path.is_switching());
    assert_eq!(world.route(), (None, Some(1)));
    let (_, transaction) = world
        .pings()
        .into_iter()
        .find(|(via, _)| *via == Via::Relay(1))
        .unwrap();
    world.path.pong(&transaction, world.now, &mut world.rng);
    assert_eq!(world.route(), (Some(address), None));

    let mut lost = World::new();
    lost.send(10_000);
    lost.prove(address, MS);
    assert!(lost.path.is_switching());
    lost.wait(Duration::from_secs(3));
    assert!(!lost.path.is_switching(), "not for ever");
}

#[test]
fn another_network_is_asked_anew() {
    let mut world = World::new();
    let address = at("192.0.2.1:5");
    world.send(1);
    world.prove(address, MS);
    world.pings();
    world.path.network_changed(world.now);
    assert_eq!(world.route(), (Some(address), Some(1)), "both ways");
    world.send(1);
    assert!(
        world
            .pings()
            .iter()
            .any(|(via, _)| *via == Via::Direct(address))
    );
}

#[test]
fn an_address_that_cannot_be_sent_to_is_left_at_once() {
    let mut world = World::new();
    let address = at("192.0.2.1:5");
    world.prove(address, MS);
    world.path.unreachable(address, world.now);
    assert_eq!(world.route(), (None, Some(1)));
}
