//! Direct paths: the UDP sockets of this end, and where it can be reached by them.
//!
//! One socket per address family carries everything: sealed packets, discovery and STUN. The engine
//! queues bundles of packets; they are sent at the end of each turn, without a task between.

mod bundle;
mod interfaces;
mod portmap;
mod received;
mod servers;
mod sleep;
mod socket;
mod tasks;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::RwLock;

pub(crate) use bundle::{Bundle, BundlePool};
pub(crate) use received::Received;
pub(crate) use sleep::SleepWatch;
pub(crate) use socket::{Family, Sent, Socket};
pub(crate) use tasks::{netcheck, run, run_writer};

use crate::engine::Engine;

/// The sockets of this end, as long as it has any.
pub(crate) struct Direct {
    /// Port to bind; 0 for any.
    port: u16,
    socket: RwLock<Option<Arc<Socket>>>,
}

impl Direct {
    /// Binds the sockets. Without any (`blocked`, or the system gives none), only relays are used.
    pub(crate) fn new(blocked: bool, port: u16) -> Self {
        let direct = Self {
            port,
            socket: RwLock::new(None),
        };
        if !blocked {
            direct.bind();
        }
        direct
    }

    /// Binds sockets anew; the old ones are closed.
    pub(crate) fn bind(&self) {
        // The port may still be ours: the old sockets go first.
        *self.socket.write() = None;
        match Socket::bind(self.port) {
            Ok(socket) => *self.socket.write() = Some(Arc::new(socket)),
            Err(error) => {
                tracing::warn!(%error, "no UDP socket: peers are reached through relays only");
            }
        }
    }

    /// Closes the sockets.
    pub(crate) fn unbind(&self) {
        *self.socket.write() = None;
    }

    /// The sockets in use.
    pub(crate) fn socket(&self) -> Option<Arc<Socket>> {
        self.socket.read().clone()
    }

    /// Addresses of this machine's interfaces, with the ports of the sockets.
    pub(crate) fn local_endpoints(&self) -> Vec<SocketAddr> {
        self.socket()
            .map(|socket| interfaces::endpoints(&socket))
            .unwrap_or_default()
    }

    /// Sends what the engine queued, as far as the sockets take it. True if connections that were
    /// stopped by a full queue may go on.
    pub(crate) fn flush(&self, engine: &mut Engine, now: Instant) -> bool {
        if !engine.direct.has_work() {
            return false;
        }
        let socket = self.socket.read();
        let Some(socket) = socket.as_ref() else {
            engine.direct.clear();
            return engine.resume_direct();
        };
        while let Some(bundle) = engine.direct.front() {
            match socket.try_send(bundle) {
                Sent::All => engine.direct.pop(),
                Sent::Full => {
                    engine.direct.wait();
                    return false;
                }
                Sent::Unreachable(error) => {
                    let to = bundle.to;
                    tracing::debug!(%to, %error, "cannot send to a peer's address");
                    engine.direct.pop();
                    engine.peers.note_unreachable(to, now);
                }
            }
        }
        engine.resume_direct()
    }
}
