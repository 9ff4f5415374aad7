//! What happens by the clock.

use std::cmp::Ordering;
use std::time::Instant;

use tunnel_proto::peers::PeerIndex;
use tunnel_proto::wireguard::{QUIET_TICK, TICK};

use super::{Engine, FlowId};

/// When a connection wants to be looked at. Entries are not removed when a timer moves later: the
/// connection's own note tells whether an entry still counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FlowTimer {
    pub(super) due: Instant,
    pub(super) id: FlowId,
}

impl Ord for FlowTimer {
    /// The earliest is the greatest: a binary heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for FlowTimer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Engine {
    /// When [`Engine::handle_timeout`] is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let flow = self.flow_timers.peek().map(|timer| timer.due);
        let path = self.peers.next_path_deadline();
        let lookup = self.lookup_deadline();
        [flow, self.tick_at, self.peers_at, path, lookup]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.flow_timers.peek()
            && timer.due <= now
        {
            if let Some(timer) = self.flow_timers.pop() {
                self.flow_due(&timer);
            }
        }
        self.lookup_timeout(now);
        self.peers.handle_path_timeouts(now, &mut rand::rng());
        self.send_discovery(now);
        self.resume_switched();
        if self.tick_at.is_some_and(|at| at <= now) {
            let busy = self.tick_sessions();
            self.tick_at = Some(now + if busy { TICK } else { QUIET_TICK });
            self.tick_peers(now);
        } else if self.peers_at.is_some_and(|at| at <= now) {
            self.tick_peers(now);
        }
    }

    fn tick_peers(&mut self, now: Instant) {
        for index in self.peers.handle_timeout(now) {
            self.activated(index);
        }
        self.peers_changed(now);
    }

    /// True if something happens in any of them.
    fn tick_sessions(&mut self) -> bool {
        let moved = self.traffic.tx_packets + self.traffic.rx_packets;
        let mut busy = std::mem::replace(&mut self.moved_at_tick, moved) != moved;
        let active = self.peers.iter().filter(|(_, peer)| peer.is_active());
        let active: Vec<PeerIndex> = active.map(|(index, _)| index).collect();
        for index in active {
            let said = self.with_session(index, |session, out| session.tick(out));
            busy |= said.unwrap_or(false);
        }
        busy
    }
}
