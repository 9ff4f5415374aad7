//! Queues of frames to relays, one per region in use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tunnel_proto::derp::{self, FrameBuffer};
use tunnel_proto::key::NodePublic;
use tunnel_proto::packet::MTU;
use tunnel_proto::peers::PeerIndex;
use tunnel_proto::wireguard::{OVERHEAD, Output, Session};

use super::{Action, Engine, FlowId};
use crate::direct::{Bundle, BundlePool};

/// Connections stop sending while a relay's queue holds so much: what is written in one call.
const SOFT_LIMIT: usize = 256 << 10;
/// Beyond this, handshakes and answers to pings are dropped too.
const HARD_LIMIT: usize = 512 << 10;
/// A region that is not the home is left after so long without packets.
pub(crate) const IDLE: Duration = Duration::from_mins(1);

/// Frames for one region's relay.
pub(crate) struct Link {
    pub(crate) region: u16,
    queue: FrameBuffer,
    /// Wakes the writer.
    pub(crate) wake: Arc<Notify>,
    /// The writer waits for frames.
    waiting: bool,
    /// Connections that stopped because the queue is full.
    blocked: Vec<FlowId>,
    pub(crate) used: Instant,
}

impl Link {
    fn is_full(&self) -> bool {
        self.queue.len() >= SOFT_LIMIT
    }
}

/// All regions in use. There are few: a list is searched faster than a map.
#[derive(Default)]
pub(crate) struct Links {
    list: Vec<Link>,
}

impl Links {
    fn get_mut(&mut self, region: u16) -> Option<&mut Link> {
        self.list.iter_mut().find(|link| link.region == region)
    }
}

impl Engine {
    /// The queue of `region`, and a task for its connection if it is new.
    pub(crate) fn link(&mut self, region: u16, now: Instant) -> &mut Link {
        let known = self
            .links
            .list
            .iter()
            .position(|link| link.region == region);
        let at = known.unwrap_or_else(|| {
            self.actions.push(Action::StartLink(region));
            self.links.list.push(Link {
                region,
                queue: Vec::new(),
                wake: Arc::default(),
                waiting: false,
                blocked: Vec::new(),
                used: now,
            });
            self.links.list.len() - 1
        });
        &mut self.links.list[at]
    }

    /// The writer's part: swaps the empty `buffer` with the queue, and lets connections go on.
    /// With nothing to write, the link's notification comes when there is.
    pub(crate) fn take_frames(&mut self, region: u16, buffer: &mut FrameBuffer) {
        let Some(link) = self.links.get_mut(region) else {
            return;
        };
        std::mem::swap(&mut link.queue, buffer);
        link.waiting = buffer.is_empty();
        // They are still marked as having something to send.
        self.dirty.extend(link.blocked.drain(..));
    }

    /// The connection broke: what was queued for it is stale, except a first handshake.
    pub(crate) fn link_broken(&mut self, region: u16) {
        if let Some(link) = self.links.get_mut(region) {
            link.queue = Vec::new();
            link.waiting = false;
        }
        let mut buffer = Vec::new();
        self.take_frames(region, &mut buffer);
    }

    /// Leaves `region` if it was idle for long; true if it was left.
    pub(crate) fn leave_if_idle(&mut self, region: u16, now: Instant) -> bool {
        let before = self.links.list.len();
        self.links.list.retain(|link| {
            link.region != region
                || now.saturating_duration_since(link.used) < IDLE
                || !link.queue.is_empty()
                || !link.blocked.is_empty()
        });
        before != self.links.list.len()
    }

    /// Wakes the writers that wait for what is queued now.
    pub(super) fn wake_writers(&mut self) {
        for link in &mut self.links.list {
            if link.waiting && !link.queue.is_empty() {
                link.waiting = false;
                link.wake.notify_one();
            }
        }
    }

    /// True (and `flow` is kept for later) if the way to the peer is full.
    pub(super) fn block_if_full(&mut self, index: PeerIndex, flow: FlowId, now: Instant) -> bool {
        let Some(peer) = self.peers.get(index) else {
            return false;
        };
        if peer.path.is_switching() {
            self.switching.push((index, flow));
            return true;
        }
        let route = peer.path.route(now);
        let Some(region) = route.relay else {
            let full = route.direct.is_some() && self.direct.is_full();
            if full {
                self.direct.block(flow);
            }
            return full;
        };
        match self.links.get_mut(region) {
            Some(link) if link.is_full() => {
                link.blocked.push(flow);
                true
            }
            _ => false,
        }
    }

    /// Connections whose peers have finished changing their path go on.
    pub(super) fn resume_switched(&mut self) {
        if self.switching.is_empty() {
            return;
        }
        for (index, flow) in std::mem::take(&mut self.switching) {
            let waits = self
                .peers
                .get(index)
                .is_some_and(|peer| peer.path.is_switching());
            if waits {
                self.switching.push((index, flow));
            } else {
                self.dirty.push_back(flow);
            }
        }
    }

    /// Calls `f` with a peer's session and the place where its datagrams go: the direct path, the
    /// relay, or both while the direct path is not proven.
    pub(super) fn with_session<R>(
        &mut self,
        index: PeerIndex,
        f: impl FnOnce(&mut Session, &mut dyn Output) -> R,
    ) -> Option<R> {
        let now = self.time;
        let peer = self.peers.get(index)?;
        let (route, to) = (peer.path.route(now), peer.node.key);
        if route.direct.is_none() && route.relay.is_none() {
            return None;
        }
        let relay = route.relay.map(|region| {
            let link = self.link(region, now);
            link.used = now;
            RelayOutput {
                queue: std::mem::take(&mut link.queue),
                to,
            }
        });
        let mut out = RouteOutput {
            relay,
            full: !self.direct.has_room(),
            direct: route.direct.map(|address| self.direct.open(address)),
            more: Vec::new(),
            pool: self.direct.take_pool(),
            dropped: 0,
        };
        let peer = self.peers.get_mut(index)?;
        let result = f(&mut peer.session, &mut out);
        self.traffic.tx_dropped += out.dropped;
        if let (Some(region), Some(relay)) = (route.relay, out.relay) {
            self.link(region, now).queue = relay.queue;
        }
        self.direct.give_pool(out.pool);
        for bundle in out.more {
            self.direct.close(bundle);
        }
        if let Some(bundle) = out.direct {
            self.direct.close(bundle);
        }
        Some(result)
    }

    /// Queues a packet for `to` by `region`, unless there is no room.
    pub(super) fn send_by_relay(
        &mut self,
        region: u16,
        to: &NodePublic,
        packet: &[u8],
        now: Instant,
    ) {
        let link = self.link(region, now);
        link.used = now;
        if link.queue.len() < HARD_LIMIT {
            derp::send_packet(&mut link.queue, to, packet);
        }
    }

    /// Queues a frame that has no peer (pong, keepalive), unless there is no room.
    pub(crate) fn send_frame(&mut self, region: u16, write: impl FnOnce(&mut FrameBuffer)) {
        if let Some(link) = self.links.get_mut(region)
            && link.queue.len() < HARD_LIMIT
        {
            write(&mut link.queue);
        }
    }
}

/// Wraps each datagram of a session in a relay frame, in place.
struct RelayOutput {
    queue: FrameBuffer,
    to: NodePublic,
}

impl RelayOutput {
    fn is_full(&self) -> bool {
        self.queue.len() >= HARD_LIMIT
    }

    /// True if the datagram was written and had to be dropped.
    fn datagram(&mut self, write: &mut dyn FnMut(&mut FrameBuffer) -> bool) -> bool {
        let full = self.is_full();
        let start = derp::begin_send_packet(&mut self.queue, &self.to);
        // The session's state must advance even when there is no room for what it says.
        let written = write(&mut self.queue);
        if written && !full {
            derp::finish_packet(&mut self.queue, start);
        } else {
            self.queue.truncate(start);
        }
        written && full
    }
}

/// Where the datagrams of a session go: to an address, to a relay, or to both.
struct RouteOutput {
    relay: Option<RelayOutput>,
    direct: Option<Bundle>,
    /// Bundles that are full.
    more: Vec<Bundle>,
    /// Where new ones come from.
    pool: BundlePool,
    /// The direct queue has no room.
    full: bool,
    dropped: u64,
}

impl Output for RouteOutput {
    fn datagram(&mut self, write: &mut dyn FnMut(&mut FrameBuffer) -> bool) {
        let Some(bundle) = &mut self.direct else {
            if let Some(relay) = &mut self.relay {
                self.dropped += u64::from(relay.datagram(write));
            }
            return;
        };
        let start = bundle.end();
        if !write(&mut bundle.data) {
            bundle.data.truncate(start);
            return;
        }
        if let Some(relay) = self.relay.as_mut().filter(|relay| !relay.is_full()) {
            derp::send_packet(&mut relay.queue, &relay.to, &bundle.data[start..]);
        }
        if self.full {
            bundle.data.truncate(start);
            self.dropped += u64::from(self.relay.is_none());
            return;
        }
        bundle.finish_packet();
        if !bundle.has_room(MTU + OVERHEAD) {
            let to = bundle.to;
            let next = self.pool.take(to);
            self.more.push(std::mem::replace(bundle, next));
        }
    }
}
