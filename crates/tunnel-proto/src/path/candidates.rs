//! The addresses at which a peer may be reached, and what is known of each.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::address;

/// Most addresses remembered per peer.
pub const MAX_CANDIDATES: usize = 32;
/// An address that was not published is forgotten so long after the last sign of it.
pub const ENDPOINT_LIFETIME: Duration = Duration::from_secs(310);

/// One address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) address: SocketAddr,
    /// Part of the peer's published description.
    published: bool,
    /// The source of an authentic packet, at this time.
    seen: Option<Instant>,
    /// Named in the peer's last call, at this time.
    called: Option<Instant>,
    pub(super) pinged: Option<Instant>,
    /// Latency of the last pong.
    pub(super) latency: Option<Duration>,
}

impl Candidate {
    fn is_alive(&self, now: Instant) -> bool {
        let lately = |at: Option<Instant>| {
            at.is_some_and(|at| now.saturating_duration_since(at) < ENDPOINT_LIFETIME)
        };
        self.published || lately(self.seen) || lately(self.called)
    }
}

/// All addresses of a peer, at most [`MAX_CANDIDATES`].
#[derive(Debug, Default)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
}

impl Candidates {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.list.iter()
    }

    pub(super) fn get_mut(&mut self, address: SocketAddr) -> Option<&mut Candidate> {
        self.list.iter_mut().find(|known| known.address == address)
    }

    /// The peer published `addresses`: those published before and not any more lose that merit.
    /// True if any is new.
    pub(super) fn publish(&mut self, addresses: &[SocketAddr], now: Instant) -> bool {
        for known in &mut self.list {
            known.published = false;
        }
        let mut news = false;
        for &address in addresses {
            news |= self.add(address, now, |known| known.published = true);
        }
        self.prune(now);
        news
    }

    /// The peer asks to be called at `addresses`. Those of an earlier call count no more.
    pub(super) fn call(&mut self, addresses: &[SocketAddr], now: Instant) {
        for known in &mut self.list {
            known.called = None;
        }
        for &address in addresses {
            self.add(address, now, |known| known.called = Some(now));
        }
        self.prune(now);
    }

    /// An authentic packet came from `address`. True if it is new.
    pub(super) fn see(&mut self, address: SocketAddr, now: Instant) -> bool {
        self.add(address, now, |known| known.seen = Some(now))
    }

    fn add(
        &mut self,
        address: SocketAddr,
        now: Instant,
        note: impl FnOnce(&mut Candidate),
    ) -> bool {
        if let Some(known) = self.get_mut(address) {
            note(known);
            return false;
        }
        if !is_usable(address) {
            return false;
        }
        if self.list.len() >= MAX_CANDIDATES {
            self.prune(now);
        }
        if self.list.len() >= MAX_CANDIDATES {
            // The longest unseen of those that never answered makes room.
            let worst = self
                .list
                .iter()
                .enumerate()
                .filter(|(_, known)| known.latency.is_none())
                .min_by_key(|(_, known)| (known.published, known.seen.max(known.called)))
                .map(|(at, _)| at);
            let Some(worst) = worst else {
                return false;
            };
            self.list.swap_remove(worst);
        }
        let mut candidate = Candidate {
            address,
            published: false,
            seen: None,
            called: None,
            pinged: None,
            latency: None,
        };
        note(&mut candidate);
        self.list.push(candidate);
        true
    }

    /// Forgets what is neither published nor seen lately.
    pub(super) fn prune(&mut self, now: Instant) {
        self.list.retain(|known| known.is_alive(now));
    }

    /// What was measured belongs to another network.
    pub(super) fn forget_measurements(&mut self) {
        for known in &mut self.list {
            known.latency = None;
            known.pinged = None;
        }
    }
}

/// False for addresses that no peer can have: of groups, without a scope, or inside the tunnel.
fn is_usable(address: SocketAddr) -> bool {
    let ip_usable = match address.ip() {
        IpAddr::V4(ip) => {
            !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && !ip.is_link_local()
        }
        IpAddr::V6(ip) => {
            !ip.is_unspecified()
                && !ip.is_multicast()
                && !ip.is_unicast_link_local()
                && !address::is_inside(&ip)
        }
    };
    ip_usable && address.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn impossible_addresses_are_left_out() {
        for text in [
            "0.0.0.0:5",
            "224.0.0.1:5",
            "255.255.255.255:5",
            "169.254.1.1:5",
            "192.0.2.1:0",
            "[::]:5",
            "[ff02::1]:5",
            "[fe80::1]:5",
            "[fd60:627a:a42b::1]:5",
            "[fd7a:115c:a1e0::1]:5",
        ] {
            assert!(!is_usable(at(text)), "{text}");
        }
        for text in ["192.0.2.1:5", "127.0.0.1:5", "[::1]:5", "[fd00::1]:5"] {
            assert!(is_usable(at(text)), "{text}");
        }
    }

    #[test]
    fn the_list_is_bounded_and_keeps_what_answered() {
        let (mut list, now) = (Candidates::default(), Instant::now());
        let port = |n: u16| SocketAddr::from(([192, 0, 2, 1], n));
        list.see(port(1), now);
        list.get_mut(port(1)).unwrap().latency = Some(Duration::ZERO);
        for n in 2..1000 {
            list.see(port(n), now + Duration::from_millis(n.into()));
        }
        assert_eq!(list.iter().count(), MAX_CANDIDATES);
        assert!(list.get_mut(port(1)).is_some() && list.get_mut(port(999)).is_some());
    }

    #[test]
    fn unpublished_addresses_are_forgotten_in_time() {
        let (mut list, now) = (Candidates::default(), Instant::now());
        assert!(list.publish(&[at("192.0.2.1:1")], now));
        assert!(list.see(at("192.0.2.2:2"), now));
        list.prune(now + ENDPOINT_LIFETIME);
        assert_eq!(list.iter().count(), 1);
        list.publish(&[], now + ENDPOINT_LIFETIME);
        assert_eq!(list.iter().count(), 0);
    }
}
