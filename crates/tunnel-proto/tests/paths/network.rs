//! The Internet between the ends: who gets a datagram, and when.

use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::Rng;
use tunnel_proto::stun;

use super::nat::Nat;
use super::random::Random;

/// What happens to datagrams on the way.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Per mille.
    pub loss: u32,
    /// Per mille.
    pub duplicate: u32,
    pub delay: Duration,
    /// Added at random, so that datagrams overtake each other.
    pub jitter: Duration,
}

/// Something that arrives.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A datagram at the socket of an end.
    Datagram {
        end: usize,
        from: SocketAddr,
        data: Vec<u8>,
    },
    /// A packet by the relay, from the other end.
    Relayed { end: usize, data: Vec<u8> },
    /// The other end's description, by the coordinator.
    Described {
        end: usize,
        endpoints: Vec<SocketAddr>,
    },
}

struct Flying {
    at: Instant,
    order: u64,
    what: Arrival,
}

impl PartialEq for Flying {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Flying {}
impl Ord for Flying {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}
impl PartialOrd for Flying {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// One network with a translator at its edge.
pub struct Site {
    pub nat: Nat,
    /// A firewall for IPv6.
    pub v6: Nat,
}

/// All networks.
pub struct Network {
    pub weather: Weather,
    pub relay_delay: Duration,
    pub relay_up: bool,
    /// Nothing gets through directly, for nobody.
    pub dark: bool,
    pub sites: Vec<Site>,
    /// Which end and site an address belongs to.
    pub hosts: HashMap<IpAddr, (usize, usize)>,
    pub stun_servers: Vec<SocketAddr>,
    /// An eavesdropper listens.
    pub tapped: bool,
    /// Datagrams that the eavesdropper saw on the Internet.
    pub overheard: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub datagrams: u64,
    pub relayed: u64,
    flying: BinaryHeap<Flying>,
    order: u64,
    pub rng: Random,
}

impl Network {
    pub fn new(weather: Weather, relay_delay: Duration, rng: Random) -> Self {
        Self {
            weather,
            relay_delay,
            relay_up: true,
            dark: false,
            sites: Vec::new(),
            hosts: HashMap::new(),
            stun_servers: Vec::new(),
            tapped: false,
            overheard: Vec::new(),
            datagrams: 0,
            relayed: 0,
            flying: BinaryHeap::new(),
            order: 0,
            rng,
        }
    }

    pub fn next_arrival(&self) -> Option<Instant> {
        self.flying.peek().map(|flying| flying.at)
    }

    pub fn arrive(&mut self, now: Instant) -> Option<Arrival> {
        if self.next_arrival()? > now {
            return None;
        }
        self.flying.pop().map(|flying| flying.what)
    }

    fn launch(&mut self, at: Instant, what: Arrival) {
        self.order += 1;
        self.flying.push(Flying {
            at,
            order: self.order,
            what,
        });
    }

    /// The relay loses nothing and keeps the order.
    pub fn relay(&mut self, end: usize, data: Vec<u8>, now: Instant) {
        self.relayed += 1;
        if self.relay_up {
            self.launch(now + self.relay_delay, Arrival::Relayed { end, data });
        }
    }

    pub fn describe(&mut self, end: usize, endpoints: Vec<SocketAddr>, now: Instant) {
        self.launch(
            now + self.relay_delay,
            Arrival::Described { end, endpoints },
        );
    }

    /// An end sends a datagram.
    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8], now: Instant) {
        self.datagrams += 1;
        if self.dark || self.rng.random_ratio(self.weather.loss, 1000) {
            return;
        }
        let copies = 1 + u32::from(self.rng.random_ratio(self.weather.duplicate, 1000));
        for _ in 0..copies {
            self.route(from, to, data, now);
        }
    }

    fn route(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8], now: Instant) {
        let Some(&(_, site)) = self.hosts.get(&from.ip()) else {
            return;
        };
        if let Some(&(end, other)) = self.hosts.get(&to.ip())
            && other == site
        {
            // On the same network.
            self.deliver(end, from, data, now, Duration::from_millis(1));
            return;
        }
        let nat = self.gate(site, to);
        let seen = nat.outbound_seen(from, to, now);
        let Some(seen) = seen else {
            return;
        };
        let hairpin = {
            let nat = &self.sites[site].nat;
            (nat.outside == Some(to.ip())).then_some(nat.hairpin)
        };
        if hairpin == Some(false) {
            return;
        }
        self.across(seen, to, data, now);
    }

    fn gate(&mut self, site: usize, to: SocketAddr) -> Gate<'_> {
        let site = &mut self.sites[site];
        Gate {
            nat: if to.is_ipv4() {
                &mut site.nat
            } else {
                &mut site.v6
            },
            rng: &mut self.rng,
        }
    }

    /// A datagram on the Internet.
    pub fn across(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8], now: Instant) {
        if self.tapped {
            self.overheard.push((from, to, data.to_vec()));
        }
        if self.stun_servers.contains(&to) {
            if let Some(transaction) = stun::parse_request(data) {
                let answer = stun::response(transaction, from);
                // Both ways at once.
                let delay = self.weather.delay * 2;
                self.inbound(to, from, &answer, now, delay);
            }
            return;
        }
        let jitter = self.weather.jitter.as_micros() as u64;
        let jitter = Duration::from_micros(self.rng.random_range(0..=jitter));
        self.inbound(from, to, data, now, self.weather.delay + jitter);
    }

    fn inbound(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        data: &[u8],
        now: Instant,
        delay: Duration,
    ) {
        let inside = if to.is_ipv6() {
            let Some(&(_, site)) = self.hosts.get(&to.ip()) else {
                return;
            };
            self.sites[site].v6.inbound(from, to, now)
        } else {
            let site = self
                .sites
                .iter_mut()
                .find(|site| site.nat.outside == Some(to.ip()));
            match site {
                Some(site) => site.nat.inbound(from, to, now),
                None => self.open_host(to, from, now),
            }
        };
        if let Some(inside) = inside
            && let Some(&(end, _)) = self.hosts.get(&inside.ip())
        {
            self.deliver(end, from, data, now, delay);
        }
    }

    /// Hosts with a public address of their own.
    fn open_host(&mut self, to: SocketAddr, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let &(_, site) = self.hosts.get(&to.ip())?;
        let nat = &mut self.sites[site].nat;
        if nat.outside.is_some() {
            return None;
        }
        nat.inbound(from, to, now)
    }

    fn deliver(
        &mut self,
        end: usize,
        from: SocketAddr,
        data: &[u8],
        now: Instant,
        delay: Duration,
    ) {
        self.launch(
            now + delay,
            Arrival::Datagram {
                end,
                from,
                data: data.to_vec(),
            },
        );
    }
}

struct Gate<'a> {
    nat: &'a mut Nat,
    rng: &'a mut Random,
}

impl Gate<'_> {
    fn outbound_seen(self, from: SocketAddr, to: SocketAddr, now: Instant) -> Option<SocketAddr> {
        self.nat.outbound(from, to, now, self.rng)
    }
}
