//! Rounds of questions on a virtual clock.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::stun;

const MS: Duration = Duration::from_millis(1);

fn server(region: u16) -> StunServer {
    StunServer {
        region,
        address: SocketAddr::from(([198, 51, 100, region as u8], 3478)),
    }
}

/// Runs a round in which `answer` decides what each server (by region) sees, and when.
fn run(
    regions: &[u16],
    hairpin: bool,
    mut answer: impl FnMut(u16) -> Option<(SocketAddr, Duration)>,
) -> (Lookup, Duration) {
    let (start, mut rng) = (Instant::now(), StdRng::seed_from_u64(3));
    let mut now = start;
    let servers = regions.iter().map(|&region| server(region));
    let mut lookup = Lookup::new(servers, hairpin, now, &mut rng);
    let mut flying: Vec<(Instant, Vec<u8>)> = Vec::new();
    while !lookup.is_finished() {
        for (to, packet) in lookup.take_transmits() {
            let transaction = stun::parse_request(&packet).unwrap();
            let asked = regions.iter().find(|region| server(**region).address == to);
            match asked {
                Some(&region) => {
                    if let Some((seen, latency)) = answer(region) {
                        flying.push((now + latency, stun::response(transaction, seen)));
                    }
                }
                // To ourselves: the translation brings it back.
                None => flying.push((now + MS, packet)),
            }
        }
        flying.sort_by_key(|(at, _)| *at);
        let deadline = lookup.next_deadline().unwrap();
        match flying.first() {
            Some((at, _)) if *at <= deadline => {
                let (at, packet) = flying.remove(0);
                now = at;
                lookup.receive(&packet, now, &mut rng);
            }
            _ => {
                assert!(deadline >= now, "time goes on");
                now = deadline;
                lookup.handle_timeout(now, &mut rng);
            }
        }
    }
    (lookup, now - start)
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn one_address_for_all_servers_is_a_friendly_translation() {
    let seen = at("203.0.113.5:1000");
    let (lookup, time) = run(&[1, 2, 3], true, |region| {
        Some((seen, Duration::from_millis(10 * u64::from(region))))
    });
    let report = lookup.report();
    assert_eq!(report.mapping_varies_by_destination, Some(false));
    assert_eq!(report.hairpin, Some(true));
    assert_eq!(report.region_v4_latency[&2], 20 * MS);
    assert_eq!(lookup.endpoints(Some(5)), [seen]);
    assert!(time <= 30 * MS, "{time:?}");
}

#[test]
fn a_symmetric_translation_is_recognised() {
    let (lookup, _) = run(&[1, 2], false, |region| {
        let seen = SocketAddr::from(([203, 0, 113, 5], 1000 + region));
        Some((seen, MS))
    });
    assert_eq!(lookup.report().mapping_varies_by_destination, Some(true));
    let expected = ["203.0.113.5:1001", "203.0.113.5:1002", "203.0.113.5:41641"];
    assert_eq!(lookup.endpoints(Some(41641)), expected.map(at));
}

#[test]
fn silence_ends_in_time_and_one_silent_server_costs_little() {
    let mut asked = 0;
    let (lookup, time) = run(&[1, 2], false, |_| {
        asked += 1;
        None
    });
    assert_eq!((lookup.report(), asked), (Report::default(), 6));
    assert!(time < Duration::from_secs(2));
    let (lookup, time) = run(&[1, 2], false, |region| {
        (region == 1).then_some((at("203.0.113.5:1"), 20 * MS))
    });
    assert!(lookup.report().udp && time < 200 * MS, "{time:?}");
    assert_eq!(lookup.report().mapping_varies_by_destination, None);
}

#[test]
fn a_family_that_is_silent_does_not_spin() {
    let (mut now, mut rng) = (Instant::now(), StdRng::seed_from_u64(3));
    let v6 = StunServer {
        region: 2,
        address: at("[2001:db8::1]:3478"),
    };
    let mut lookup = Lookup::new([server(1), v6], false, now, &mut rng);
    let (_, packet) = lookup.take_transmits().remove(0);
    let transaction = stun::parse_request(&packet).unwrap();
    let answer = stun::response(transaction, at("203.0.113.5:1"));
    assert!(lookup.receive(&answer, now, &mut rng));
    let mut turns = 0;
    while let Some(due) = lookup.next_deadline() {
        assert!(due > now);
        now = due;
        lookup.handle_timeout(now, &mut rng);
        turns += 1;
    }
    assert!(lookup.is_finished() && turns < 8);
}

#[test]
fn lost_requests_are_repeated() {
    let mut first = true;
    let (lookup, _) = run(&[1], false, |_| {
        let lost = std::mem::take(&mut first);
        (!lost).then_some((at("203.0.113.5:1"), 20 * MS))
    });
    assert_eq!(lookup.report().region_v4_latency[&1], 20 * MS);
}

#[test]
fn answers_that_were_not_asked_for_are_ignored() {
    let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(3));
    let mut lookup = Lookup::new([server(1)], true, now, &mut rng);
    let forged = stun::response([9; 12], at("203.0.113.66:6"));
    assert!(!lookup.receive(&forged, now, &mut rng));
    assert!(!lookup.receive(&stun::request([9; 12]), now, &mut rng));
    assert!(!lookup.receive(b"garbage", now, &mut rng));
    assert!(lookup.answers().is_empty());
    let none = Lookup::new([], false, now, &mut rng);
    assert!(none.is_finished());
}
