//! Which ports accept connections, and requests that wait for the fallback's decision.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tunnel_proto::packet::Ipv6;
use tunnel_proto::tcp::{self, Segment};

use super::{Action, Engine};
use crate::netstack::FlowKey;
use crate::{FallbackTcp, Inbound, Serve, TcpStream};

/// Most requests that wait for a decision. More are dropped: their peers ask again.
const MAX_UNDECIDED: usize = 256;

/// What becomes of a connection once it is established.
pub(crate) enum Accepted {
    /// Goes to a listener.
    Listener(mpsc::Sender<TcpStream>),
    /// Is served by the fallback.
    Serve(Serve),
}

/// Ports and undecided requests.
#[derive(Default)]
pub(crate) struct Ports {
    pub(crate) listeners: HashMap<u16, mpsc::Sender<TcpStream>>,
    pub(crate) fallback: Option<Arc<dyn FallbackTcp>>,
    /// The packet of each undecided request.
    undecided: HashMap<FlowKey, Vec<u8>>,
}

impl Engine {
    /// A peer asks for the connection `key` by `segment` in `packet`.
    pub(super) fn requested(
        &mut self,
        key: FlowKey,
        segment: &Segment<'_>,
        packet: &[u8],
        now: Instant,
    ) {
        if let Some(listener) = self.ports.listeners.get(&key.local.port()) {
            // A full or closing listener gets the request again when the peer repeats it.
            if listener.capacity() > 0 {
                let accepted = Accepted::Listener(listener.clone());
                self.accept(key, segment, accepted, now);
            }
        } else if self.ports.fallback.is_some() {
            if self.ports.undecided.contains_key(&key)
                || self.ports.undecided.len() >= MAX_UNDECIDED
            {
                return;
            }
            self.ports.undecided.insert(key, packet.to_vec());
            let inbound = Inbound {
                remote: key.remote,
                local: key.local,
            };
            self.actions.push(Action::Decide(inbound));
        } else {
            self.refuse(key, segment);
        }
    }

    /// The fallback decided about a request.
    pub(crate) fn decided(
        &mut self,
        inbound: Inbound,
        decision: std::io::Result<Serve>,
        now: Instant,
    ) {
        let key = FlowKey {
            local: inbound.local,
            remote: inbound.remote,
        };
        let Some(packet) = self.ports.undecided.remove(&key) else {
            return;
        };
        let segment = Ipv6::parse(&packet).and_then(|ip| Segment::parse(ip.payload));
        match (segment, decision) {
            (Some(syn), Ok(serve)) => self.accept(key, &syn, Accepted::Serve(serve), now),
            (Some(syn), Err(_)) => self.refuse(key, &syn),
            (None, _) => {}
        }
    }

    /// Answers a segment that belongs to no connection.
    pub(super) fn refuse(&mut self, key: FlowKey, segment: &Segment<'_>) {
        let (local, remote) = (*key.local.ip(), *key.remote.ip());
        let index = self.peers.by_address(&remote);
        if let (Some(index), Some(reset)) = (index, tcp::put_reset(local, remote, segment)) {
            self.send_ip(index, &reset);
        }
    }
}
