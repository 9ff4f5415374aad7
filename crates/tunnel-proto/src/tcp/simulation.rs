//! Two connections on a simulated link with a virtual clock: loss, delay, reordering, duplication,
//! a bottleneck with a queue. The same seed gives the same run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Addresses, Connection, End, Limits, Segment};
use crate::packet::{self, Ipv6};

/// What the network does. Chances are parts of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// One way.
    pub(super) delay: Duration,
    /// Up to so much more, by chance: packets overtake each other.
    pub(super) jitter: Duration,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    /// Bytes per second; 0: no limit.
    pub(super) rate: f64,
    /// Bytes that wait at the bottleneck before packets are dropped.
    pub(super) queue: f64,
}

impl Link {
    pub(super) const CALM: Self = Self {
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss: 0.0,
        duplicate: 0.0,
        rate: 0.0,
        queue: 0.0,
    };
}

pub(super) const LIMITS: Limits = Limits {
    receive_window: 8 << 20,
    send_buffer: 8 << 20,
    silence: Duration::from_mins(5),
    keep_alive: None,
    orphan: false,
};

/// A byte of the stream, by its place.
pub(super) fn byte(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16).wrapping_mul(31)) as u8
}

type Event = Reverse<(Instant, u64, usize, Vec<u8>)>;

/// One end, and what its owner did so far.
pub(super) struct Peer {
    pub(super) connection: Option<Connection>,
    pub(super) written: usize,
    pub(super) read: usize,
    /// Bytes to write before closing.
    pub(super) goal: usize,
    pub(super) ended: bool,
}

/// The world of two ends.
pub(super) struct World {
    pub(super) peers: [Peer; 2],
    link: Link,
    rng: StdRng,
    pub(super) now: Instant,
    begun: Instant,
    flying: BinaryHeap<Event>,
    number: u64,
    /// When each direction's bottleneck is free.
    free: [Instant; 2],
    /// Packets put on the link, lost ones included.
    pub(super) packets: [u64; 2],
    pub(super) payload: [u64; 2],
    pub(super) dropped: u64,
    /// The readers' pause between looks; 0: they read at once.
    pub(super) read_pause: Duration,
    next_read: Instant,
    pub(super) cut_off: bool,
}

pub(super) fn addresses() -> [Addresses; 2] {
    let local = SocketAddrV6::new(Ipv6Addr::new(0xfd, 0, 0, 0, 0, 0, 0, 1), 40_000, 0, 0);
    let remote = SocketAddrV6::new(Ipv6Addr::new(0xfd, 0, 0, 0, 0, 0, 0, 2), 22, 0, 0);
    [
        Addresses { local, remote },
        Addresses {
            local: remote,
            remote: local,
        },
    ]
}

impl World {
    /// The first peer connects; each writes its goal and closes.
    pub(super) fn new(link: Link, seed: u64, goals: [usize; 2]) -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(seed);
        let connection = Connection::connect(addresses()[0], rng.random(), LIMITS, now);
        let peer = |goal| Peer {
            connection: None,
            written: 0,
            read: 0,
            goal,
            ended: false,
        };
        let mut peers = goals.map(peer);
        peers[0].connection = Some(connection);
        Self {
            peers,
            link,
            rng,
            now,
            begun: now,
            flying: BinaryHeap::new(),
            number: 0,
            free: [now; 2],
            packets: [0; 2],
            payload: [0; 2],
            dropped: 0,
            read_pause: Duration::ZERO,
            next_read: now,
            cut_off: false,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.begun
    }

    fn put(&mut self, from: usize, packet: &[u8]) {
        self.packets[from] += 1;
        let ip = Ipv6::parse(packet).unwrap();
        assert!(packet.len() <= packet::MTU);
        assert_eq!(
            packet::checksum(ip.source, ip.destination, packet::TCP, ip.payload),
            0
        );
        self.payload[from] += Segment::parse(ip.payload).unwrap().payload.len() as u64;
        let Link {
            delay,
            jitter,
            loss,
            duplicate,
            rate,
            queue,
        } = self.link;
        if self.cut_off || self.rng.random_bool(loss) {
            self.dropped += 1;
            return;
        }
        let mut at = self.now;
        if rate > 0.0 {
            let waiting = self.free[from].saturating_duration_since(self.now);
            if waiting.as_secs_f64() * rate > queue {
                self.dropped += 1;
                return;
            }
            at =
                self.free[from].max(self.now) + Duration::from_secs_f64(packet.len() as f64 / rate);
            self.free[from] = at;
        }
        let copies = 1 + u32::from(self.rng.random_bool(duplicate));
        for _ in 0..copies {
            let late = jitter.mul_f64(self.rng.random());
            self.number += 1;
            let event = (at + delay + late, self.number, 1 - from, packet.to_vec());
            self.flying.push(Reverse(event));
        }
    }

    /// Lets the owner of an end do what it can, and sends what is due.
    fn turn(&mut self, at: usize, may_read: bool) {
        let peer = &mut self.peers[at];
        let Some(connection) = &mut peer.connection else {
            return;
        };
        let mut buffer = [0; 16 << 10];
        while peer.written < peer.goal {
            let len = connection
                .room()
                .min(peer.goal - peer.written)
                .min(buffer.len());
            for (n, slot) in buffer[..len].iter_mut().enumerate() {
                *slot = byte(peer.written + n);
            }
            let taken = connection.write(&buffer[..len]);
            peer.written += taken;
            if taken == 0 {
                break;
            }
        }
        if peer.written == peer.goal && connection.may_write() && peer.goal != usize::MAX {
            connection.close();
        }
        loop {
            let most = if may_read { buffer.len() } else { 0 };
            let len = connection.read(most, &mut |part| {
                for got in part {
                    assert_eq!(*got, byte(peer.read), "byte {} changed", peer.read);
                    peer.read += 1;
                }
            });
            if len == 0 {
                break;
            }
        }
        peer.ended |= connection.is_ended() && connection.unread() == 0;
        let mut out = Vec::new();
        while let Some(transmit) = connection.poll_transmit(self.now) {
            connection.cut(&transmit, &mut |packet| out.push(packet.to_vec()));
            assert!(out.len() < 100_000, "no end of segments");
        }
        for packet in out {
            self.put(at, &packet);
        }
    }

    /// Gives a packet to an end.
    pub(super) fn deliver(&mut self, to: usize, packet: &[u8]) {
        let ip = Ipv6::parse(packet).unwrap();
        let Some(segment) = Segment::parse(ip.payload) else {
            return;
        };
        let peer = &mut self.peers[to];
        if peer.connection.is_none() && segment.opens() {
            let first = self.rng.random();
            let accepted = Connection::accept(addresses()[to], first, LIMITS, &segment, self.now);
            peer.connection = Some(accepted);
        } else if let Some(connection) = &mut peer.connection {
            connection.handle_segment(&segment, self.now);
        }
    }

    /// Moves the clock to the next event; false if there is none.
    pub(super) fn step(&mut self) -> bool {
        let arrival = self.flying.peek().map(|Reverse((at, ..))| *at);
        let timers = self
            .peers
            .iter()
            .filter_map(|peer| peer.connection.as_ref()?.poll_timeout());
        let paused = self.read_pause > Duration::ZERO;
        let unread = self
            .peers
            .iter()
            .any(|peer| peer.connection.as_ref().is_some_and(|c| c.unread() > 0));
        let read = (paused && unread).then_some(self.next_read);
        let Some(next) = timers.chain(arrival).chain(read).min() else {
            return false;
        };
        self.now = self.now.max(next);
        // What arrives within a fifth of a millisecond is one bundle, as for a real reader.
        let bundle = self.now + Duration::from_micros(200);
        let mut touched = [false; 2];
        while let Some(Reverse((at, ..))) = self.flying.peek()
            && *at <= bundle
        {
            let Some(Reverse((at, _, to, packet))) = self.flying.pop() else {
                break;
            };
            self.now = self.now.max(at);
            self.deliver(to, &packet);
            touched[to] = true;
        }
        let may_read = !paused || self.now >= self.next_read;
        if paused && may_read {
            self.next_read = self.now + self.read_pause;
        }
        for (at, touched) in touched.into_iter().enumerate() {
            let mut due = false;
            if let Some(connection) = &mut self.peers[at].connection
                && connection.poll_timeout().is_some_and(|due| due <= self.now)
            {
                connection.handle_timeout(self.now);
                due = true;
            }
            if touched || due || may_read {
                self.turn(at, may_read);
            }
        }
        true
    }

    /// Lets both ends do what they want.
    pub(super) fn start(&mut self) {
        let may_read = self.read_pause.is_zero();
        for at in 0..2 {
            self.turn(at, may_read);
        }
    }

    /// Runs until both ends are over; panics when nothing happens any more.
    pub(super) fn run(&mut self) {
        self.start();
        for _ in 0..20_000_000 {
            if self.is_over() {
                return;
            }
            if !self.step() {
                let state = self
                    .peers
                    .each_ref()
                    .map(|peer| (&peer.connection, peer.written, peer.read, peer.goal));
                panic!("nothing happens any more: {state:#?}");
            }
        }
        panic!("no end after {:?}", self.elapsed());
    }

    fn is_over(&self) -> bool {
        self.peers.iter().all(|peer| {
            peer.ended
                && peer
                    .connection
                    .as_ref()
                    .is_some_and(|connection| connection.is_over() && connection.unread() == 0)
        })
    }

    /// Both ends got everything, in order, with a clean end.
    pub(super) fn check(&self) {
        for (at, peer) in self.peers.iter().enumerate() {
            let end = peer.connection.as_ref().and_then(Connection::end);
            assert!(matches!(end, None | Some(End::Closed)), "{at}: {end:?}");
            assert_eq!(peer.read, self.peers[1 - at].goal, "{at}");
        }
    }
}
