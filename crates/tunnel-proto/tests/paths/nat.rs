//! Translations between private addresses and the Internet.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::Rng;

use super::random::Random;

/// A mapping that is not used for so long is forgotten.
const MAPPING_LIFETIME: Duration = Duration::from_secs(30);

/// How a network treats UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No translation, no filter.
    Open,
    /// One address outside for each inside; anybody may answer.
    FullCone,
    /// … only hosts that were sent to.
    Restricted,
    /// … only hosts and ports that were sent to.
    PortRestricted,
    /// Another address outside for each destination; only it may answer.
    Symmetric,
    /// Nothing gets out.
    Blocked,
}

pub const KINDS: [Kind; 6] = [
    Kind::Open,
    Kind::FullCone,
    Kind::Restricted,
    Kind::PortRestricted,
    Kind::Symmetric,
    Kind::Blocked,
];

#[derive(Debug)]
struct Mapping {
    inside: SocketAddr,
    outside: SocketAddr,
    used: Instant,
    sent_to: HashSet<SocketAddr>,
}

/// A translator, or a firewall that keeps addresses as they are.
#[derive(Debug)]
pub struct Nat {
    pub kind: Kind,
    /// Its address on the Internet; `None` for a firewall.
    pub outside: Option<IpAddr>,
    /// Packets from inside to its own outside address come back.
    pub hairpin: bool,
    mappings: HashMap<(SocketAddr, Option<SocketAddr>), Mapping>,
    taken: HashSet<u16>,
}

impl Nat {
    pub fn new(kind: Kind, outside: Option<IpAddr>, hairpin: bool) -> Self {
        Self {
            kind,
            outside,
            hairpin,
            mappings: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    /// Forgets everything, as after a restart.
    pub fn restart(&mut self) {
        self.mappings.clear();
    }

    /// A packet from inside: the source that the Internet sees, or `None` if it does not get out.
    pub fn outbound(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        now: Instant,
        rng: &mut Random,
    ) -> Option<SocketAddr> {
        if self.kind == Kind::Blocked {
            return None;
        }
        self.mappings
            .retain(|_, known| now.saturating_duration_since(known.used) < MAPPING_LIFETIME);
        let each = (self.kind == Kind::Symmetric).then_some(to);
        let outside = self.outside;
        let taken = &mut self.taken;
        let mapping = self.mappings.entry((from, each)).or_insert_with(|| {
            let outside = outside.map_or(from, |ip| {
                let mut port = rng.random_range(1024..=u16::MAX);
                while !taken.insert(port) {
                    port = rng.random_range(1024..=u16::MAX);
                }
                SocketAddr::new(ip, port)
            });
            Mapping {
                inside: from,
                outside,
                used: now,
                sent_to: HashSet::new(),
            }
        });
        mapping.used = now;
        mapping.sent_to.insert(to);
        Some(mapping.outside)
    }

    /// A packet from outside: the host inside that gets it.
    pub fn inbound(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        now: Instant,
    ) -> Option<SocketAddr> {
        let kind = self.kind;
        let mapping = self.mappings.values_mut().find(|known| {
            known.outside == to && now.saturating_duration_since(known.used) < MAPPING_LIFETIME
        });
        let mapping = match mapping {
            Some(mapping) => mapping,
            // Without translation, an open network needs no mapping.
            None if kind == Kind::Open => return Some(to),
            None => return None,
        };
        let allowed = match kind {
            Kind::Open | Kind::FullCone => true,
            Kind::Restricted => mapping.sent_to.iter().any(|known| known.ip() == from.ip()),
            Kind::PortRestricted | Kind::Symmetric => mapping.sent_to.contains(&from),
            Kind::Blocked => false,
        };
        if !allowed {
            return None;
        }
        mapping.used = now;
        Some(mapping.inside)
    }
}

/// True if two ends behind such networks can reach each other directly.
pub fn can_meet(a: Kind, b: Kind) -> bool {
    use Kind::{Blocked, FullCone, Open, PortRestricted, Restricted, Symmetric};
    match (a, b) {
        (Blocked, _)
        | (_, Blocked)
        | (Symmetric, Symmetric | PortRestricted)
        | (PortRestricted, Symmetric) => false,
        (Open | FullCone | Restricted | PortRestricted | Symmetric, _) => true,
    }
}
