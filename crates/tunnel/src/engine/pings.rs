//! Pings that wait for their answers: disco (is the peer's process there) and TSMP (does the
//! whole tunnel work).

use std::collections::HashMap;
use std::time::Instant;

use tokio::sync::oneshot;
use tunnel_proto::packet::Tsmp;
use tunnel_proto::path::Answered;
use tunnel_proto::peers::{Destination, PeerIndex};
use uuid::Uuid;

use super::{Action, Engine};
use crate::status::Pong;

/// Most pings waiting at a time.
const MAX_WAITING: usize = 4096;

/// Pings without an answer yet. Whoever waits removes its own when it gives up.
#[derive(Default)]
pub(crate) struct Pings {
    disco: HashMap<u64, Waiting>,
    next: u64,
    tsmp: HashMap<[u8; 8], oneshot::Sender<()>>,
}

struct Waiting {
    peer: PeerIndex,
    sent: Instant,
    answer: oneshot::Sender<Pong>,
}

impl Pings {
    /// Nobody waits for this answer any more.
    pub(crate) fn forget_disco(&mut self, number: u64) {
        self.disco.remove(&number);
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget_tsmp(&mut self, data: [u8; 8]) {
        self.tsmp.remove(&data);
    }

    /// A ping of `peer` was answered: tells whoever asked before it was sent.
    pub(super) fn answered(&mut self, peer: PeerIndex, answered: &Answered) {
        let due = self
            .disco
            .extract_if(|_, waiting| waiting.peer == peer && waiting.sent <= answered.sent);
        for (_, waiting) in due {
            // Whoever asked may have given up.
            let _ = waiting.answer.send(Pong {
                latency: answered.latency,
                via: answered.via.into(),
            });
        }
    }
}

impl Engine {
    /// Sends disco pings to `peer`: directly if that works, otherwise by its relay and to every
    /// address where it may be. `None` if it is not known.
    pub(crate) fn ping_disco(
        &mut self,
        peer: Uuid,
        answer: oneshot::Sender<Pong>,
        now: Instant,
    ) -> Option<u64> {
        let index = self.peers.by_id(peer)?;
        if self.pings.disco.len() >= MAX_WAITING {
            return None;
        }
        self.peers.get(index)?.path.relay()?;
        let number = self.pings.next;
        self.pings.next += 1;
        self.pings.disco.insert(
            number,
            Waiting {
                peer: index,
                sent: now,
                answer,
            },
        );
        self.peers.probe(index, now, &mut rand::rng());
        self.send_discovery(now);
        Some(number)
    }

    /// `count` packets were sent to the peer: its path is in use.
    pub(super) fn path_used(&mut self, index: PeerIndex, count: u32) {
        let now = self.time;
        self.peers.note_sent(index, count, now, &mut rand::rng());
        self.send_discovery(now);
    }

    /// Sends what path discovery wants to say, and looks up our addresses if it needs them.
    pub(super) fn send_discovery(&mut self, now: Instant) {
        for message in self.peers.take_transmits() {
            match message.to {
                Destination::Direct(address) => self.direct.push(address, &message.packet),
                Destination::Relay(region, key) => {
                    self.send_by_relay(region, &key, &message.packet, now);
                }
            }
        }
        if self.peers.wants_endpoints() && !self.looking_up {
            self.looking_up = true;
            self.actions.push(Action::LookUp);
        }
    }

    /// This machine is on another network, or was asleep.
    pub(crate) fn network_changed(&mut self, now: Instant) {
        self.peers.network_changed(now);
        self.send_discovery(now);
    }

    /// Takes the addresses at which this end may be reached now.
    pub(crate) fn set_endpoints(
        &mut self,
        endpoints: Vec<std::net::SocketAddr>,
        fresh: std::time::Duration,
        now: Instant,
    ) {
        self.looking_up = false;
        self.peers
            .set_own_endpoints(endpoints, fresh, now, &mut rand::rng());
        self.send_discovery(now);
    }

    /// Sends a TSMP ping to `peer`. `None` if it is not in use yet.
    pub(crate) fn ping_tsmp(&mut self, peer: Uuid, answer: oneshot::Sender<()>) -> Option<[u8; 8]> {
        let index = self.peers.by_id(peer)?;
        let peer = self.peers.get(index)?;
        if !peer.is_active() || self.pings.tsmp.len() >= MAX_WAITING {
            return None;
        }
        let data: [u8; 8] = rand::random();
        let to = *peer.node.addresses.first()?;
        let packet = Tsmp::Ping(data).packet(*self.addresses.first()?, to);
        self.send_ip(index, &packet);
        self.pings.tsmp.insert(data, answer);
        Some(data)
    }

    /// A TSMP pong came.
    pub(super) fn tsmp_pong(&mut self, data: [u8; 8]) {
        if let Some(answer) = self.pings.tsmp.remove(&data) {
            // Whoever asked may have given up.
            let _ = answer.send(());
        }
    }
}
