//! Two ends, their networks and the time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tunnel_proto::path::Via;

use super::end::{End, REGION};
use super::nat::{Kind, Nat};
use super::network::{Arrival, Network, Site, Weather};
use super::random::Random;

/// Where an end is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub kind: Kind,
    /// Has IPv6, behind a firewall.
    pub v6: bool,
}

pub struct World {
    pub network: Network,
    pub ends: [End; 2],
    pub now: Instant,
}

/// The UDP port of both ends.
const PORT: u16 = 41641;

impl World {
    /// Two ends at their places; `together` puts both on the first one's network.
    pub fn new(
        places: [Place; 2],
        together: bool,
        hairpin: bool,
        weather: Weather,
        seed: u64,
    ) -> Self {
        let rng = |number: u64| Random::new(seed.wrapping_mul(31).wrapping_add(number));
        let relay_delay = weather.delay * 2 + Duration::from_millis(5);
        let mut network = Network::new(weather, relay_delay, rng(1));
        network.stun_servers = vec![
            SocketAddr::from(([198, 51, 100, 1], 3478)),
            SocketAddr::from(([198, 51, 100, 2], 3478)),
        ];
        for (number, place) in places.iter().enumerate() {
            let outside = IpAddr::from(Ipv4Addr::new(203, 0, 113, number as u8 + 1));
            let translated = place.kind != Kind::Open;
            let v6 = if place.kind == Kind::Blocked {
                Kind::Blocked
            } else {
                Kind::PortRestricted
            };
            network.sites.push(Site {
                nat: Nat::new(place.kind, translated.then_some(outside), hairpin),
                v6: Nat::new(v6, None, false),
            });
        }
        let ends = [0, 1].map(|number| {
            let site = if together { 0 } else { number };
            let local = addresses(site, number, 0, places[site]);
            for address in &local {
                network.hosts.insert(address.ip(), (number, site));
            }
            End::new(number, local, rng(2 + number as u64))
        });
        let mut world = Self {
            network,
            ends,
            now: Instant::now(),
        };
        let described = [0, 1].map(|number: usize| world.ends[number].description(Vec::new()));
        let [first, second] = described;
        world.ends[0].introduce(second, world.now);
        world.ends[1].introduce(first, world.now);
        for number in 0..2 {
            world.ends[number].look_up(&mut world.network, world.now);
        }
        world
    }

    /// An end gets other addresses on its network.
    pub fn move_end(&mut self, number: usize, visit: u8, place: Place) {
        let (_, site) = self.network.hosts[&self.ends[number].local[0].ip()];
        self.network.hosts.retain(|_, (end, _)| *end != number);
        let local = addresses(site, number, visit, place);
        for address in &local {
            self.network.hosts.insert(address.ip(), (number, site));
        }
        self.ends[number].moved(local, &mut self.network, self.now);
    }

    /// Lets `time` pass; each end sends a packet every `every` (none if it is zero).
    pub fn run(&mut self, time: Duration, every: Duration) {
        let until = self.now + time;
        let mut next_data = self.now;
        while self.now < until {
            if !every.is_zero() && next_data <= self.now {
                for number in 0..2 {
                    self.ends[number].send_data(&mut self.network, self.now);
                }
                next_data = self.now + every;
            }
            let deadlines = self.ends.iter().filter_map(End::next_deadline);
            let data = (!every.is_zero()).then_some(next_data);
            let next = deadlines
                .chain(self.network.next_arrival())
                .chain(data)
                .min();
            // A deadline that does not move would stop the clock.
            self.now = next.unwrap_or(until).clamp(self.now, until);
            let mut turns = 0;
            while let Some(arrival) = self.network.arrive(self.now) {
                self.take(arrival);
                turns += 1;
                assert!(turns < 10_000, "a storm of packets");
            }
            for end in &mut self.ends {
                let mut turns = 0;
                while end.next_deadline().is_some_and(|due| due <= self.now) {
                    end.handle_timeout(&mut self.network, self.now);
                    turns += 1;
                    assert!(turns < 10, "a deadline that does not move");
                }
            }
        }
    }

    fn take(&mut self, arrival: Arrival) {
        let (network, now) = (&mut self.network, self.now);
        match arrival {
            Arrival::Datagram { end, from, data } => {
                self.ends[end].receive(Via::Direct(from), &data, network, now);
            }
            Arrival::Relayed { end, data } => {
                self.ends[end].receive(Via::Relay(REGION), &data, network, now);
            }
            Arrival::Described { end, endpoints } => {
                let node = self.ends[1 - end].description(endpoints);
                self.ends[end].introduce(node, now);
                self.ends[end].flush(network, now);
            }
        }
    }

    /// Packets that got lost since `(sent, …)` of [`World::mark`].
    pub fn lost_since(&self, mark: [u32; 2]) -> u32 {
        (0..2)
            .map(|number: usize| {
                let (from, to) = (&self.ends[number], &self.ends[1 - number]);
                (mark[number] + 1..=from.sent())
                    .filter(|packet| !to.received.contains(packet))
                    .count() as u32
            })
            .sum()
    }

    /// How much each end has sent.
    pub fn mark(&self) -> [u32; 2] {
        [self.ends[0].sent(), self.ends[1].sent()]
    }

    /// True if both ends send directly and only so.
    pub fn is_direct(&self) -> bool {
        self.ends.iter().all(|end| {
            let route = end.route(self.now);
            route.direct.is_some() && route.relay.is_none()
        })
    }

    /// True if both ends have a direct path, proven or doubted.
    pub fn has_direct(&self) -> bool {
        let mut ends = self.ends.iter();
        ends.all(|end| end.route(self.now).direct.is_some())
    }

    pub fn is_relayed(&self) -> bool {
        self.ends.iter().all(|end| {
            let route = end.route(self.now);
            route.direct.is_none() && route.relay.is_some()
        })
    }
}

fn addresses(site: usize, number: usize, visit: u8, place: Place) -> Vec<SocketAddr> {
    let v4 = if place.kind == Kind::Open {
        Ipv4Addr::new(203, 0, 113 + visit, 100 + number as u8)
    } else {
        Ipv4Addr::new(192, 168, visit, 10 + number as u8)
    };
    // Private networks use the same addresses everywhere: the sites tell them apart.
    let v4 = if place.kind == Kind::Open {
        v4
    } else {
        let [a, b, c, d] = v4.octets();
        Ipv4Addr::new(a, b + 10 * site as u8, c, d)
    };
    let mut all = vec![SocketAddr::from((v4, PORT))];
    if place.v6 {
        let host = u16::from(visit) * 256 + number as u16 + 1;
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, site as u16, 0, 0, 0, 0, host);
        all.push(SocketAddr::from((v6, PORT)));
    }
    all
}
