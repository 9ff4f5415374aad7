//! Questions to STUN servers, through the socket of the direct paths.

use std::time::Instant;

use tokio::sync::watch;
use tunnel_proto::netcheck::{Lookup, Report, StunServer};

use super::Engine;

/// Most rounds for people at a time; the oldest ends early.
const MAX_CHECKS: usize = 4;

/// A round whose outcome somebody waits for.
pub(crate) struct Check {
    lookup: Lookup,
    outcome: watch::Sender<Option<Report>>,
}

impl Engine {
    /// Begins a round of questions for our own addresses; one that is in progress ends.
    /// [`Engine::lookup`] has the answers when [`super::Action::LookedUp`] comes.
    pub(crate) fn start_lookup(&mut self, servers: Vec<StunServer>, now: Instant) {
        let lookup = Lookup::new(servers, false, now, &mut rand::rng());
        self.lookup = Some(lookup);
        self.lookup_told = false;
        self.drive_lookups();
    }

    /// Begins a round of questions for people; its outcome comes by the channel.
    pub(crate) fn start_check(
        &mut self,
        servers: Vec<StunServer>,
        now: Instant,
    ) -> watch::Receiver<Option<Report>> {
        let lookup = Lookup::new(servers, true, now, &mut rand::rng());
        let (outcome, waiting) = watch::channel(None);
        if self.checks.len() >= MAX_CHECKS {
            self.checks.remove(0);
        }
        self.checks.push(Check { lookup, outcome });
        self.drive_lookups();
        waiting
    }

    fn lookups(&mut self) -> impl Iterator<Item = &mut Lookup> {
        let checks = self.checks.iter_mut().map(|check| &mut check.lookup);
        self.lookup.iter_mut().chain(checks)
    }

    /// Takes a STUN message.
    pub(super) fn receive_stun(&mut self, datagram: &[u8], now: Instant) {
        let mut rng = rand::rng();
        if self
            .lookups()
            .any(|lookup| lookup.receive(datagram, now, &mut rng))
        {
            self.drive_lookups();
        }
    }

    pub(super) fn lookup_deadline(&self) -> Option<Instant> {
        let checks = self.checks.iter().map(|check| &check.lookup);
        self.lookup
            .iter()
            .chain(checks)
            .filter_map(Lookup::next_deadline)
            .min()
    }

    pub(super) fn lookup_timeout(&mut self, now: Instant) {
        if self.lookup_deadline().is_some_and(|due| due <= now) {
            for lookup in self.lookups() {
                if lookup.next_deadline().is_some_and(|due| due <= now) {
                    lookup.handle_timeout(now, &mut rand::rng());
                }
            }
            self.drive_lookups();
        }
    }

    fn drive_lookups(&mut self) {
        let mut requests = Vec::new();
        for lookup in self.lookups() {
            requests.append(&mut lookup.take_transmits());
        }
        for (to, packet) in requests {
            self.direct.push(to, &packet);
        }
        if self.lookup.as_ref().is_some_and(Lookup::is_finished) && !self.lookup_told {
            self.lookup_told = true;
            self.actions.push(super::Action::LookedUp);
        }
        for check in self
            .checks
            .extract_if(.., |check| check.lookup.is_finished())
        {
            check.outcome.send_replace(Some(check.lookup.report()));
        }
    }
}
