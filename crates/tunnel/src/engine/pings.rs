//! Pings that wait for their answers: disco (is the peer's process there) and TSMP (does the
//! whole tunnel work).

use std::collections::HashMap;
use std::time::Instant;

use tokio::sync::oneshot;
use tunnel_proto::disco::{Message, TransactionId};
use tunnel_proto::packet::Tsmp;
use tunnel_proto::path::Via as PathVia;
use tunnel_proto::peers::PeerIndex;
use uuid::Uuid;

use super::Engine;
use crate::status::{Pong, Via};

/// Most pings waiting at a time.
const MAX_WAITING: usize = 4096;

/// Pings without an answer yet. Whoever waits removes its own when it gives up.
#[derive(Default)]
pub(crate) struct Pings {
    disco: HashMap<TransactionId, Waiting>,
    tsmp: HashMap<[u8; 8], oneshot::Sender<()>>,
}

struct Waiting {
    peer: PeerIndex,
    sent: Instant,
    answer: oneshot::Sender<Pong>,
}

impl Pings {
    /// Nobody waits for this answer any more.
    pub(crate) fn forget_disco(&mut self, transaction: &TransactionId) {
        self.disco.remove(transaction);
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget_tsmp(&mut self, data: [u8; 8]) {
        self.tsmp.remove(&data);
    }
}

impl Engine {
    /// Sends a disco ping to `peer`. `None` if it is not known.
    pub(crate) fn ping_disco(
        &mut self,
        peer: Uuid,
        answer: oneshot::Sender<Pong>,
        now: Instant,
    ) -> Option<TransactionId> {
        let index = self.peers.by_id(peer)?;
        if self.pings.disco.len() >= MAX_WAITING {
            return None;
        }
        let transaction = rand::random();
        let node = self.peers.identity().node.public();
        let ping = Message::Ping {
            transaction,
            node: Some(node),
        };
        let region = self.peers.get(index)?.path.route(now).relay?;
        self.send_disco(index, region, &ping, now);
        self.pings.disco.insert(
            transaction,
            Waiting {
                peer: index,
                sent: now,
                answer,
            },
        );
        Some(transaction)
    }

    /// Sends a disco message to a peer by `region`.
    pub(super) fn send_disco(
        &mut self,
        index: PeerIndex,
        region: u16,
        message: &Message,
        now: Instant,
    ) {
        let ours = self.peers.identity().disco.public();
        if let Some(peer) = self.peers.get(index) {
            let packet = peer.disco.seal(&ours, rand::random(), message);
            let key = peer.node.key;
            self.send_by_relay(region, &key, &packet, now);
        }
    }

    /// A pong of `index` came by `region`.
    pub(super) fn disco_pong(
        &mut self,
        index: PeerIndex,
        transaction: &TransactionId,
        region: u16,
        now: Instant,
    ) {
        // A pong counts only from the peer that was asked.
        if self
            .pings
            .disco
            .get(transaction)
            .is_none_or(|waiting| waiting.peer != index)
        {
            return;
        }
        let Some(waiting) = self.pings.disco.remove(transaction) else {
            return;
        };
        let latency = now.saturating_duration_since(waiting.sent);
        if let Some(peer) = self.peers.get_mut(index) {
            peer.path.pong(PathVia::Relay(region), latency, now);
        }
        // Whoever asked may have given up.
        let _ = waiting.answer.send(Pong {
            latency,
            via: Via::Relay(region),
        });
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
