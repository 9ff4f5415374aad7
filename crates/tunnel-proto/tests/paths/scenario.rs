//! Random scenarios, and what must hold in each.

use std::time::Duration;

use rand::Rng;
use rand::seq::IndexedRandom;
use tunnel_proto::path::IDLE;

use super::nat::{KINDS, Kind, can_meet};
use super::network::Weather;
use super::random::Random;
use super::world::{Place, World};

/// A path must be found in this time, lost messages included.
const FIND: Duration = Duration::from_secs(25);
/// What a person would bear without any packet.
const INTERRUPTION: Duration = Duration::from_secs(4);
/// A path must last for so long.
const LAST: Duration = Duration::from_secs(10);
/// Messages in a second, of both ends together, that the search for a path may need on average.
const MAX_MESSAGES: u64 = 60;
/// Packets are sent so often.
const EVERY: Duration = Duration::from_millis(100);

/// What happens on the way.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// The translators forget everything.
    NatRestart,
    /// Nothing gets through directly for a while.
    Darkness,
    /// The relay is away for a while.
    RelayAway,
    /// An end gets another address.
    Move(usize),
    /// Nothing is sent for longer than translators remember.
    Silence,
    /// The clock jumps, and everything that was due meanwhile is due at once.
    Leap,
}

const EVENTS: [Event; 7] = [
    Event::NatRestart,
    Event::Darkness,
    Event::RelayAway,
    Event::Move(0),
    Event::Move(1),
    Event::Silence,
    Event::Leap,
];

#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub places: [Place; 2],
    pub together: bool,
    pub hairpin: bool,
    pub weather: Weather,
    pub events: Vec<Event>,
}

impl Scenario {
    pub fn random(seed: u64) -> Self {
        let mut rng = Random::new(seed);
        let place = |rng: &mut Random| Place {
            kind: *KINDS.choose(rng).unwrap(),
            v6: rng.random_ratio(1, 5),
        };
        let places = [place(&mut rng), place(&mut rng)];
        let calm = rng.random_ratio(1, 2);
        let weather = Weather {
            loss: if calm { 0 } else { rng.random_range(0..100) },
            duplicate: if calm { 0 } else { rng.random_range(0..50) },
            delay: Duration::from_millis(rng.random_range(1..120)),
            jitter: Duration::from_millis(if calm { 0 } else { rng.random_range(0..60) }),
        };
        let count = rng.random_range(0..4);
        let events = (0..count)
            .map(|_| *EVENTS.choose(&mut rng).unwrap())
            .collect();
        Self {
            seed,
            places,
            together: rng.random_ratio(1, 8),
            hairpin: rng.random_ratio(1, 2),
            weather,
            events,
        }
    }

    /// Whether the ends can reach each other directly.
    pub fn can_meet(&self) -> bool {
        let [a, b] = self.places;
        if self.together {
            // On one network nothing is between them.
            return true;
        }
        let v6 = a.v6 && b.v6 && a.kind != Kind::Blocked && b.kind != Kind::Blocked;
        v6 || can_meet(a.kind, b.kind)
    }
}

/// Runs one scenario; says which promise was broken.
pub fn run(scenario: &Scenario) -> Result<(), String> {
    let mut world = World::new(
        scenario.places,
        scenario.together,
        scenario.hairpin,
        scenario.weather,
        scenario.seed,
    );
    // The first seconds: the relay carries everything until a path is proven.
    let mark = world.mark();
    settle(&mut world, scenario, "at the start")?;
    nothing_lost(&world, scenario, mark, "while the path was found")?;
    for event in &scenario.events {
        happen(&mut world, scenario, *event)?;
    }
    quiet(&mut world)
}

/// Sends until the path is what it can be, and checks that it stays so.
fn settle(world: &mut World, scenario: &Scenario, when: &str) -> Result<(), String> {
    let mut waited = Duration::ZERO;
    let step = Duration::from_millis(500);
    if scenario.can_meet() {
        // With loss, a lost ping casts doubt on a path, and packets go both ways for a moment.
        while !world.is_direct() && (scenario.weather.loss == 0 || !world.has_direct()) {
            if waited > FIND {
                return Err(format!("{when}: no direct path"));
            }
            world.run(step, EVERY);
            waited += step;
        }
    }
    let (before, mark) = (
        world.network.datagrams + world.network.relayed,
        world.mark(),
    );
    world.run(LAST, EVERY);
    let data: u32 = world
        .mark()
        .iter()
        .zip(mark)
        .map(|(now, then)| now - then)
        .sum();
    let messages = world.network.datagrams + world.network.relayed - before;
    // Data goes both ways at most; the rest is the search for a path.
    let limit = u64::from(data) * 2 + MAX_MESSAGES * LAST.as_secs();
    if messages > limit {
        return Err(format!("{when}: {messages} messages for {data} packets"));
    }
    if scenario.can_meet() && scenario.weather.loss == 0 && !world.is_direct() {
        return Err(format!("{when}: the direct path did not last"));
    }
    if !scenario.can_meet() && !world.is_relayed() {
        return Err(format!("{when}: a direct path that cannot be"));
    }
    Ok(())
}

/// Without loss on the network, nothing may get lost by the choice of paths.
fn nothing_lost(
    world: &World,
    scenario: &Scenario,
    mark: [u32; 2],
    when: &str,
) -> Result<(), String> {
    // What was sent a moment ago is still on its way.
    let flying = 2 * (1 + (world.network.relay_delay.as_millis() / EVERY.as_millis()) as u32);
    let lost = world.lost_since(mark);
    let sent: u32 = world
        .mark()
        .iter()
        .zip(mark)
        .map(|(now, then)| now - then)
        .sum();
    let allowed = if scenario.weather.loss == 0 {
        flying
    } else {
        // A path may lose what the network loses, and a little more by chance.
        flying + sent * (scenario.weather.loss * 2 + 10) / 1000 + 10
    };
    if lost > allowed {
        return Err(format!("{when}: {lost} of {sent} packets lost"));
    }
    Ok(())
}

fn happen(world: &mut World, scenario: &Scenario, event: Event) -> Result<(), String> {
    let when = format!("after {event:?}");
    match event {
        Event::NatRestart => {
            for site in &mut world.network.sites {
                site.nat.restart();
                site.v6.restart();
            }
        }
        Event::Darkness => {
            world.network.dark = true;
            world.run(INTERRUPTION, EVERY);
            // By now the relay carries everything.
            let mark = world.mark();
            world.run(Duration::from_secs(20), EVERY);
            world.run(world.network.relay_delay, Duration::ZERO);
            if world.lost_since(mark) > 0 {
                return Err("packets lost in darkness, with a relay at hand".to_owned());
            }
            world.network.dark = false;
        }
        Event::RelayAway => {
            let was_direct = world.is_direct();
            world.network.relay_up = false;
            let mark = world.mark();
            world.run(Duration::from_secs(20), EVERY);
            world.network.relay_up = true;
            if was_direct && scenario.weather.loss == 0 {
                nothing_lost(world, scenario, mark, "without a relay")?;
            }
        }
        Event::Move(number) => {
            let place = scenario.places[if scenario.together { 0 } else { number }];
            let visit = world.network.datagrams % 7 + 1;
            world.move_end(number, visit as u8, place);
        }
        Event::Silence => world.run(Duration::from_secs(200), Duration::ZERO),
        Event::Leap => world.now += Duration::from_hours(3),
    }
    // The time without any packet is short, whatever happened.
    world.run(INTERRUPTION, EVERY);
    let mark = world.mark();
    settle(world, scenario, &when)?;
    nothing_lost(world, scenario, mark, &when)
}

/// When nothing is sent, nothing is asked.
fn quiet(world: &mut World) -> Result<(), String> {
    world.run(IDLE + Duration::from_secs(20), Duration::ZERO);
    let before = world.network.datagrams;
    world.run(Duration::from_mins(10), Duration::ZERO);
    match world.network.datagrams - before {
        0 => Ok(()),
        sent => Err(format!("{sent} datagrams while nothing was sent")),
    }
}
