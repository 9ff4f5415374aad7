//! Questions to STUN servers, through the socket of the direct paths.

use std::time::Instant;

use tunnel_proto::netcheck::{Lookup, StunServer};

use super::Engine;

impl Engine {
    /// Begins a round of questions; one that is in progress ends. [`Engine::lookup`] has the
    /// answers when [`super::Action::LookedUp`] comes.
    pub(crate) fn start_lookup(&mut self, servers: Vec<StunServer>, hairpin: bool, now: Instant) {
        let lookup = Lookup::new(servers, hairpin, now, &mut rand::rng());
        self.lookup = Some(lookup);
        self.lookup_told = false;
        self.drive_lookup();
    }

    /// Takes a STUN message.
    pub(super) fn receive_stun(&mut self, datagram: &[u8], now: Instant) {
        if let Some(lookup) = &mut self.lookup {
            lookup.receive(datagram, now, &mut rand::rng());
            self.drive_lookup();
        }
    }

    pub(super) fn lookup_deadline(&self) -> Option<Instant> {
        self.lookup.as_ref()?.next_deadline()
    }

    pub(super) fn lookup_timeout(&mut self, now: Instant) {
        if self.lookup_deadline().is_some_and(|due| due <= now)
            && let Some(lookup) = &mut self.lookup
        {
            lookup.handle_timeout(now, &mut rand::rng());
            self.drive_lookup();
        }
    }

    fn drive_lookup(&mut self) {
        let Some(lookup) = &mut self.lookup else {
            return;
        };
        for (to, packet) in lookup.take_transmits() {
            self.direct.push(to, &packet);
        }
        if lookup.is_finished() && !self.lookup_told {
            self.lookup_told = true;
            self.actions.push(super::Action::LookedUp);
        }
    }
}
