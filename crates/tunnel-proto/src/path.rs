//! Which way packets to one peer take: directly by UDP, through a relay, or both.
//!
//! A relay always works; a direct path must be proven by a pong and proven again. The first pong
//! of an address makes it usable for [`TRUST`]; while the best address is out of trust, packets
//! go both ways, so that nothing stalls when a network changes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A pong proves its address for so long.
pub const TRUST: Duration = Duration::from_millis(6500);
/// A better address must be better by this part, so that two equal ones do not alternate.
const HYSTERESIS_PERCENT: u32 = 1;
/// Most addresses remembered per peer.
pub const MAX_CANDIDATES: usize = 32;

/// Where a packet came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// The relay of a region.
    Relay(u16),
    /// A UDP address.
    Direct(SocketAddr),
}

/// Where to send now. At least one is set as soon as the peer's home is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Route {
    /// Send to this UDP address.
    pub direct: Option<SocketAddr>,
    /// Send through this region's relay.
    pub relay: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
struct Best {
    address: SocketAddr,
    latency: Duration,
    trusted_until: Instant,
}

/// The choice of a path to one peer.
#[derive(Debug, Default)]
pub struct Path {
    home: Option<u16>,
    heard_on: Option<u16>,
    best: Option<Best>,
    relay_latency: Option<Duration>,
}

impl Path {
    /// The peer published `home` as its region. A change outdates what was heard before.
    pub fn set_home(&mut self, home: u16) {
        if self.home != Some(home) {
            self.home = Some(home);
            self.heard_on = None;
        }
    }

    /// An authentic packet of the peer came by `region`: it is connected there, answer there.
    pub fn heard_on_relay(&mut self, region: u16) {
        self.heard_on = Some(region);
    }

    /// The relay said that the peer is not connected to `region` (any more).
    pub fn gone_from_relay(&mut self, region: u16) {
        if self.heard_on == Some(region) {
            self.heard_on = None;
        }
    }

    /// A pong came by `via`, `latency` after its ping.
    pub fn pong(&mut self, via: Via, latency: Duration, now: Instant) {
        match via {
            Via::Relay(region) => {
                self.heard_on = Some(region);
                self.relay_latency = Some(latency);
            }
            Via::Direct(address) => {
                let fresh = Best {
                    address,
                    latency,
                    trusted_until: now + TRUST,
                };
                let keep = self.best.is_some_and(|best| {
                    best.address != address
                        && now < best.trusted_until
                        && !is_better(weighed(&fresh), weighed(&best))
                });
                if !keep {
                    self.best = Some(fresh);
                }
            }
        }
    }

    /// The network changed or direct paths were blocked: forget the direct path.
    pub fn reset_direct(&mut self) {
        self.best = None;
    }

    /// Where to send a packet now.
    pub fn route(&self, now: Instant) -> Route {
        let relay = self.heard_on.or(self.home);
        match self.best {
            Some(best) if now < best.trusted_until => Route {
                direct: Some(best.address),
                relay: None,
            },
            Some(best) => Route {
                direct: Some(best.address),
                relay,
            },
            None => Route {
                direct: None,
                relay,
            },
        }
    }

    /// Latency of the last pong through a relay.
    pub fn relay_latency(&self) -> Option<Duration> {
        self.relay_latency
    }
}

/// Latency after the bonus of its kind of address.
fn weighed(path: &Best) -> Duration {
    let ip = path.address.ip();
    let private = match ip {
        std::net::IpAddr::V4(ip) => ip.is_private(),
        std::net::IpAddr::V6(ip) => ip.is_unique_local(),
    };
    let mut bonus = 0;
    if ip.is_loopback() {
        bonus += 50;
    } else if private {
        bonus += 20;
    }
    if ip.is_ipv6() {
        bonus += 10;
    }
    path.latency * (100 - bonus) / 100
}

fn is_better(new: Duration, old: Duration) -> bool {
    new < old * (100 - HYSTERESIS_PERCENT) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn relay_first_by_home_then_where_heard() {
        let (mut path, now) = (Path::default(), Instant::now());
        assert_eq!(path.route(now), Route::default());
        path.set_home(1);
        assert_eq!(
            path.route(now),
            Route {
                direct: None,
                relay: Some(1)
            }
        );
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
        let (mut path, now) = (Path::default(), Instant::now());
        path.set_home(1);
        path.pong(Via::Direct(at("192.0.2.1:5")), 9 * MS, now);
        let direct = Some(at("192.0.2.1:5"));
        assert_eq!(
            path.route(now),
            Route {
                direct,
                relay: None
            }
        );
        assert_eq!(
            path.route(now + TRUST),
            Route {
                direct,
                relay: Some(1)
            }
        );
        path.reset_direct();
        assert_eq!(
            path.route(now),
            Route {
                direct: None,
                relay: Some(1)
            }
        );
    }

    #[test]
    fn the_better_address_wins_with_hysteresis_and_bonuses() {
        let (mut path, now) = (Path::default(), Instant::now());
        let best = |path: &Path| path.route(now).direct.unwrap();
        path.pong(Via::Direct(at("192.0.2.1:5")), 1000 * MS, now);
        path.pong(Via::Direct(at("192.0.2.2:5")), 995 * MS, now);
        assert_eq!(best(&path), at("192.0.2.1:5"));
        path.pong(Via::Direct(at("192.0.2.2:5")), 980 * MS, now);
        assert_eq!(best(&path), at("192.0.2.2:5"));
        path.pong(Via::Direct(at("10.0.0.1:5")), 1100 * MS, now);
        assert_eq!(best(&path), at("10.0.0.1:5"));
        path.pong(Via::Direct(at("[2001:db8::1]:5")), 950 * MS, now);
        assert_eq!(best(&path), at("[2001:db8::1]:5"));
        // A new pong of the best address keeps it, however slow.
        path.pong(Via::Direct(at("[2001:db8::1]:5")), 5000 * MS, now);
        assert_eq!(best(&path), at("[2001:db8::1]:5"));
    }
}
