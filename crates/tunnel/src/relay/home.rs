//! Chooses the home region: where other peers reach this one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tunnel_proto::derp;
use tunnel_proto::derp_map::DerpMap;

use super::latency;
use crate::shared::Shared;

/// How often regions are measured again.
const REMEASURE: Duration = Duration::from_mins(5);
/// A new home must be faster by at least this …
const MIN_GAIN: Duration = Duration::from_millis(10);

/// Picks the home from the map without measuring, if there is nothing to compare.
pub(crate) fn choose_now(shared: &Arc<Shared>, map: &DerpMap) -> bool {
    match map.home_candidates().as_slice() {
        [only] => {
            set_home(shared, *only, &BTreeMap::new());
            true
        }
        _ => false,
    }
}

/// Measures and chooses whenever the map changes and every five minutes.
pub(crate) async fn run_home(shared: Arc<Shared>) {
    let mut maps = shared.derp_map.subscribe();
    let cancel = shared.cancel.clone();
    let run = async {
        loop {
            let map = maps.borrow_and_update().clone();
            let candidates = map.home_candidates();
            if candidates.len() > 1 {
                let latencies = latency::measure(&shared, &map, &candidates).await;
                if let Some(home) = choose(&map, &candidates, shared.home(), &latencies) {
                    set_home(&shared, home, &latencies);
                }
            }
            let changed = tokio::time::timeout(REMEASURE, maps.changed()).await;
            if let Ok(Err(_)) = changed {
                return;
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = run => {}
    }
}

/// The best region; the current one unless another is clearly better; any if none answered.
fn choose(
    map: &DerpMap,
    candidates: &[u16],
    current: Option<u16>,
    latencies: &BTreeMap<u16, Duration>,
) -> Option<u16> {
    let current = current.filter(|region| candidates.contains(region));
    let weighed = |region: u16| {
        latencies
            .get(&region)
            .map(|latency| latency.mul_f64(map.score(region)))
    };
    let best = candidates
        .iter()
        .filter_map(|&region| weighed(region).map(|latency| (latency, region)))
        .min();
    let Some((best_latency, best)) = best else {
        return current.or_else(|| {
            candidates
                .get(rand::random_range(0..candidates.len().max(1)))
                .copied()
        });
    };
    match current.and_then(|region| weighed(region).map(|latency| (latency, region))) {
        // … and by a third.
        Some((latency, region))
            if best_latency + MIN_GAIN > latency || best_latency * 3 > latency * 2 =>
        {
            Some(region)
        }
        _ => Some(best),
    }
}

fn set_home(shared: &Arc<Shared>, home: u16, latencies: &BTreeMap<u16, Duration>) {
    let before = shared.home();
    shared.turn(|engine, now| {
        // Also starts the connection, which tells the relay that this is the home.
        engine.link(home, now);
        if before.is_some_and(|before| before != home) {
            if let Some(before) = before {
                engine.send_frame(before, |out| derp::note_preferred(out, false));
            }
            engine.send_frame(home, |out| derp::note_preferred(out, true));
        }
    });
    shared.set_home(home, latencies);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(current: Option<u16>, latencies: &[(u16, u64)]) -> Option<u16> {
        let latencies = latencies
            .iter()
            .map(|&(region, ms)| (region, Duration::from_millis(ms)))
            .collect();
        choose(&DerpMap::default(), &[1, 2, 3], current, &latencies)
    }

    #[test]
    fn the_fastest_wins_but_the_current_stays_unless_clearly_slower() {
        assert_eq!(pick(None, &[(1, 50), (2, 40)]), Some(2));
        assert_eq!(pick(Some(1), &[(1, 50), (2, 40)]), Some(1));
        assert_eq!(pick(Some(1), &[(1, 50), (2, 30)]), Some(2));
        assert_eq!(
            pick(Some(1), &[(1, 12), (2, 3)]),
            Some(1),
            "less than 10 ms"
        );
        assert_eq!(
            pick(Some(1), &[(2, 300)]),
            Some(2),
            "the current does not answer"
        );
        assert_eq!(
            pick(Some(9), &[(2, 300)]),
            Some(2),
            "the current is not in the map"
        );
    }

    #[test]
    fn without_answers_any_candidate_will_do() {
        assert_eq!(pick(Some(3), &[]), Some(3));
        assert!([1, 2, 3].contains(&pick(None, &[]).unwrap()));
        assert_eq!(
            choose(&DerpMap::default(), &[], None, &BTreeMap::new()),
            None
        );
    }
}
