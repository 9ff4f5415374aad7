//! Two engines on a simulated network and a virtual clock: loss, reordering, duplication.
//!
//! Only the age of WireGuard keys runs by the real clock, which hardly moves meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV6;
use std::task::Waker;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tunnel_proto::address;
use tunnel_proto::derp::{self, Decoder, Frame};
use tunnel_proto::key::{DiscoPrivate, NodePrivate, NodePublic};
use tunnel_proto::node::Node;
use tunnel_proto::peers::{Identity, PeerUpdate, PeerUpdateKind};
use uuid::Uuid;

use super::{Action, ConnectError, Engine, FlowId};
use crate::config::Limits;
use crate::netstack::{ReadState, WriteState};

const REGION: u16 = 1;
const PORT: u16 = 7;
/// One way.
const DELAY: Duration = Duration::from_millis(20);

struct End {
    id: Uuid,
    engine: Engine,
    decoder: Decoder,
}

impl End {
    fn new(number: u8, now: Instant) -> Self {
        let id = Uuid::from_bytes([number; 16]);
        let node = NodePrivate::from_bytes([number; 32]);
        let identity = Identity {
            node,
            disco: DiscoPrivate::from_bytes([number + 100; 32]),
        };
        Self {
            id,
            engine: Engine::new(identity, vec![address::tailnet(id)], now),
            decoder: Decoder::default(),
        }
    }

    fn key(&self) -> NodePublic {
        self.engine.peers.identity().node.public()
    }

    fn description(&self) -> PeerUpdate {
        let address = vec![address::tailnet(self.id)];
        let node = Node {
            id: 1,
            key: self.key(),
            disco: self.engine.peers.identity().disco.public(),
            preferred_derp: REGION,
            derp_latency: BTreeMap::new(),
            derp_forced_websocket: BTreeMap::new(),
            addresses: address.clone(),
            allowed_ips: address,
            endpoints: Vec::new(),
        };
        PeerUpdate {
            id: self.id,
            kind: PeerUpdateKind::Node(Box::new(node)),
        }
    }
}

/// What the network does to packets, in per mille.
#[derive(Clone, Copy)]
struct Weather {
    loss: u32,
    duplicate: u32,
    reorder: u32,
}

struct World {
    ends: [End; 2],
    /// Packets on the way: when they arrive, at whom.
    flying: Vec<(Instant, usize, Vec<u8>)>,
    now: Instant,
    rng: StdRng,
    weather: Weather,
    accepted: VecDeque<FlowId>,
}

impl World {
    fn new(weather: Weather) -> Self {
        let now = Instant::now();
        let mut ends = [End::new(1, now), End::new(2, now)];
        let (listener, _) = mpsc::channel(1);
        ends[1].engine.ports.listeners.insert(PORT, listener);
        let about = [ends[1].description(), ends[0].description()];
        for (end, update) in ends.iter_mut().zip(about) {
            end.engine.apply(update, now);
        }
        Self {
            ends,
            flying: Vec::new(),
            now,
            rng: StdRng::seed_from_u64(7),
            weather,
            accepted: VecDeque::new(),
        }
    }

    fn turn<R>(&mut self, at: usize, f: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        let now = self.now;
        let engine = &mut self.ends[at].engine;
        engine.set_time(now);
        let result = f(engine, now);
        engine.pump(now);
        for action in std::mem::take(&mut engine.actions) {
            if let Action::Accepted(id, _) = action {
                self.accepted.push_back(id);
            }
        }
        self.collect(at);
        result
    }

    /// Puts what `at` queued for the relay on its way.
    fn collect(&mut self, at: usize) {
        let mut frames = Vec::new();
        let engine = &mut self.ends[at].engine;
        engine.link(REGION, self.now);
        loop {
            let mut part = Vec::new();
            engine.take_frames(REGION, &mut part);
            if part.is_empty() {
                break;
            }
            frames.append(&mut part);
            engine.pump(self.now);
        }
        let source = self.ends[at].key();
        let mut decoder = Decoder::default();
        let mut rest = frames.as_slice();
        while let Ok(step) = decoder.step(rest)
            && step.consumed > 0
        {
            if let Some(Frame::SendPacket { packet, .. }) = step.frame {
                let mut frame = Vec::new();
                derp::recv_packet(&mut frame, &source, packet);
                self.fly(1 - at, frame);
            }
            rest = &rest[step.consumed..];
        }
    }

    fn fly(&mut self, to: usize, frame: Vec<u8>) {
        let Weather {
            loss,
            duplicate,
            reorder,
        } = self.weather;
        let mut happens = |per_mille: u32| self.rng.random_range(0..1000) < per_mille;
        if happens(loss) {
            return;
        }
        let late = if happens(reorder) {
            DELAY / 2
        } else {
            Duration::ZERO
        };
        let arrival = self.now + DELAY + late;
        if happens(duplicate) {
            self.flying.push((arrival, to, frame.clone()));
        }
        self.flying.push((arrival, to, frame));
    }

    /// Moves the clock to the next event and lets it happen. False if nothing is left to happen.
    fn step(&mut self) -> bool {
        let arrival = self.flying.iter().map(|(at, ..)| *at).min();
        let timers = self
            .ends
            .iter()
            .filter_map(|end| end.engine.next_deadline())
            .min();
        let Some(next) = arrival.into_iter().chain(timers).min() else {
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) = self.flying.drain(..).partition(|(at, ..)| *at <= now);
        self.flying = later;
        for to in 0..2 {
            let frames: Vec<u8> = due
                .iter()
                .filter(|(_, at, _)| *at == to)
                .flat_map(|(.., frame)| frame)
                .copied()
                .collect();
            let mut decoder = std::mem::take(&mut self.ends[to].decoder);
            self.turn(to, |engine, now| {
                let used = engine
                    .receive_frames(REGION, &mut decoder, &frames, now)
                    .unwrap();
                assert_eq!(used, frames.len());
                engine.handle_timeout(now);
            });
            self.ends[to].decoder = decoder;
        }
        true
    }

    fn listener(&self) -> SocketAddrV6 {
        SocketAddrV6::new(address::tailnet(self.ends[1].id), PORT, 0, 0)
    }
}

/// Carries `len` bytes from the first end to the second, with a clean end; gives the virtual time.
fn carry(weather: Weather, len: usize) -> Duration {
    let mut world = World::new(weather);
    let begun = world.now;
    let to = world.listener();
    let (sender, _) = world
        .turn(0, |engine, now| engine.connect(to, now))
        .unwrap();
    let data: Vec<u8> = (0..len).map(|n| (n / 7 + n * n) as u8).collect();
    let (mut sent, mut got, mut receiver) = (0, Vec::new(), None);
    let waker = Waker::noop();
    for _ in 0..10_000_000 {
        if sent < len {
            let state = world.turn(0, |engine, _| {
                engine.with_flow(sender, |flow| flow.write(&data[sent..], waker))
            });
            match state.unwrap() {
                WriteState::Written(more) => sent += more,
                WriteState::Wait => {}
                WriteState::Closed => panic!("closed after {sent} bytes"),
            }
            if sent == len {
                world.turn(0, |engine, _| {
                    engine.with_flow(sender, crate::netstack::Flow::close)
                });
            }
        }
        receiver = receiver.or_else(|| world.accepted.pop_front());
        if let Some(receiver) = receiver {
            let mut put = |part: &[u8]| got.extend_from_slice(part);
            let read = world.turn(1, |engine, _| {
                engine.with_flow(receiver, |flow| flow.read(4096, &mut put, waker))
            });
            match read.unwrap() {
                ReadState::Read(_) => continue,
                ReadState::End => {
                    assert!(got == data, "data changed on the way");
                    return world.now - begun;
                }
                ReadState::Wait => {}
                ReadState::Reset => panic!("reset after {} bytes", got.len()),
            }
        }
        assert!(world.step(), "nothing happens any more");
    }
    panic!("no end after {} bytes", got.len());
}

#[test]
fn a_calm_network_needs_few_round_trips() {
    let weather = Weather {
        loss: 0,
        duplicate: 0,
        reorder: 0,
    };
    // Handshake, connection, and doubling from two segments to a hundred: not one timer in
    // between, and no growth by one segment per round trip.
    let round_trips = carry(weather, 100_000).as_millis() / (DELAY * 2).as_millis();
    assert!(round_trips <= 12, "{round_trips}");
}

#[test]
fn loss_reordering_and_duplication_change_nothing_but_time() {
    for (loss, duplicate, reorder) in [(10, 0, 0), (0, 50, 0), (0, 0, 50), (50, 20, 20)] {
        carry(
            Weather {
                loss,
                duplicate,
                reorder,
            },
            300_000,
        );
    }
}

#[test]
fn a_dead_network_ends_the_attempt() {
    let mut world = World::new(Weather {
        loss: 1000,
        duplicate: 0,
        reorder: 0,
    });
    let begun = world.now;
    let to = world.listener();
    let (id, _) = world
        .turn(0, |engine, now| engine.connect(to, now))
        .unwrap();
    while world.turn(0, |engine, _| engine.with_flow(id, |flow| flow.is_open())) == Some(true) {
        assert!(world.step(), "nothing happens any more");
        assert!(world.now - begun < Duration::from_mins(2), "no end");
    }
    world.turn(0, |engine, _| engine.detach(id));
    assert_eq!(world.ends[0].engine.flows.count(), 0);
}

#[test]
fn a_peer_has_its_share_of_connections_and_no_more() {
    let mut world = World::new(Weather {
        loss: 0,
        duplicate: 0,
        reorder: 0,
    });
    let limits = Limits {
        connections: 5,
        dialled_per_peer: 3,
    };
    world.ends[0].engine.flows.set_limits(limits);
    let (to, other) = (world.listener(), address::tailnet(Uuid::from_u128(3)));
    let other = SocketAddrV6::new(other, PORT, 0, 0);
    let mut dial = |to| world.turn(0, |engine, now| engine.connect(to, now));
    let opened: Vec<FlowId> = (0..3).map(|_| dial(to).unwrap().0).collect();
    assert_eq!(dial(to), Err(ConnectError::TooManyToPeer(3)));
    // Others have theirs still, as far as there is room at all.
    assert!(dial(other).is_ok() && dial(other).is_ok());
    assert_eq!(dial(other), Err(ConnectError::TooMany(5)));
    // What is over makes room, however it ended.
    world.turn(0, |engine, _| {
        engine.with_flow(opened[1], crate::netstack::Flow::abort);
        engine.detach(opened[1]);
    });
    let mut dial = |to| world.turn(0, |engine, now| engine.connect(to, now));
    assert!(dial(to).is_ok());
    assert_eq!(dial(to), Err(ConnectError::TooManyToPeer(3)));
}
