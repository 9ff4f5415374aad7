//! The queue of sealed packets to UDP addresses.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{Action, Engine, FlowId};
use crate::direct::{Bundle, BundlePool};

/// Connections stop sending while so much is queued: it is sent before more is sealed, while it is
/// still in the processor's cache.
const SOFT_LIMIT: usize = 128 << 10;
/// Beyond this, handshakes and answers to pings are dropped too.
const HARD_LIMIT: usize = 512 << 10;

/// Packets that wait for the end of the turn or for room in the socket.
#[derive(Default)]
pub(crate) struct DirectQueue {
    bundles: VecDeque<Bundle>,
    bytes: usize,
    pool: BundlePool,
    /// The socket was full; nothing is sent before it has room.
    waiting: bool,
    /// To be started: a task that waits for room.
    pub(super) wants_writer: Option<SocketAddr>,
    /// Connections that stopped because the queue is full.
    blocked: Vec<FlowId>,
}

impl DirectQueue {
    /// True if there is something to send and the socket may have room.
    pub(crate) fn has_work(&self) -> bool {
        !self.waiting && !self.bundles.is_empty()
    }

    /// The bundle to send next.
    pub(crate) fn front(&mut self) -> Option<&mut Bundle> {
        self.bundles.front_mut()
    }

    /// The first bundle was sent, or cannot be.
    pub(crate) fn pop(&mut self) {
        if let Some(bundle) = self.bundles.pop_front() {
            self.bytes -= bundle.data.len();
            self.pool.give(bundle);
        }
    }

    /// The socket has no room: waits for [`DirectQueue::room`].
    pub(crate) fn wait(&mut self) {
        self.waiting = true;
        self.wants_writer = self.bundles.front().map(|bundle| bundle.to);
    }

    /// The socket has room again.
    pub(crate) fn room(&mut self) {
        self.waiting = false;
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.bundles.clear();
        self.bytes = 0;
        self.waiting = false;
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= SOFT_LIMIT
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < HARD_LIMIT
    }

    pub(super) fn block(&mut self, flow: FlowId) {
        self.blocked.push(flow);
    }

    /// Lends the bundles that were sent.
    pub(super) fn take_pool(&mut self) -> BundlePool {
        std::mem::take(&mut self.pool)
    }

    /// Takes back what [`DirectQueue::take_pool`] lent.
    pub(super) fn give_pool(&mut self, pool: BundlePool) {
        self.pool = pool;
    }

    /// The bundle to which packets for `to` are appended, taken out of the queue.
    pub(super) fn open(&mut self, to: SocketAddr) -> Bundle {
        if let Some(last) = self.bundles.back()
            && last.to == to
            && last.has_room(tunnel_proto::packet::MTU + tunnel_proto::wireguard::OVERHEAD)
            && let Some(bundle) = self.bundles.pop_back()
        {
            self.bytes -= bundle.data.len();
            return bundle;
        }
        self.pool.take(to)
    }

    /// Puts it (back) into the queue.
    pub(super) fn close(&mut self, bundle: Bundle) {
        if bundle.ends.is_empty() {
            self.pool.give(bundle);
        } else {
            self.bytes += bundle.data.len();
            self.bundles.push_back(bundle);
        }
    }

    /// Queues one packet, unless there is no room.
    pub(super) fn push(&mut self, to: SocketAddr, packet: &[u8]) {
        if self.has_room() {
            let mut bundle = self.open(to);
            bundle.data.extend_from_slice(packet);
            bundle.finish_packet();
            self.close(bundle);
        }
    }
}

impl Engine {
    /// The queue was sent: connections that waited for it go on. True if there were any.
    pub(crate) fn resume_direct(&mut self) -> bool {
        if self.direct.is_full() || self.direct.blocked.is_empty() {
            return false;
        }
        self.dirty.extend(self.direct.blocked.drain(..));
        true
    }

    /// Asks for a task if the queue waits for room.
    pub(crate) fn start_direct_writer(&mut self) {
        if let Some(to) = self.direct.wants_writer.take() {
            self.actions.push(Action::StartWriter(to));
        }
    }
}
