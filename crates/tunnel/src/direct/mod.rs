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
mod upnp;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;

pub(crate) use bundle::{Bundle, BundlePool};
pub(crate) use received::Received;
pub(crate) use sleep::SleepWatch;
pub(crate) use socket::{Family, Sent, Socket};
pub(crate) use tasks::{netcheck, run, run_writer};

use crate::engine::Engine;

/// A writer that waits for room may keep an old socket; it is waited for so long.
const RELEASE: Duration = Duration::from_millis(100);

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

    /// Closes the sockets and waits a moment until whoever reads them has let go, so that their port
    /// is free again. Gives the port; readers must have been told to let go.
    pub(crate) async fn release(&self, tell: impl FnOnce()) -> Option<u16> {
        let old = self.socket.write().take()?;
        let port = old.port(Family::V4).or_else(|| old.port(Family::V6));
        let gone = Arc::downgrade(&old);
        drop(old);
        tell();
        let begun = Instant::now();
        while gone.strong_count() > 0 && begun.elapsed() < RELEASE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        port
    }

    /// Binds sockets anew at `port`, so that what peers and routers know stays right; at any port
    /// if that one is taken.
    pub(crate) fn bind_again(&self, port: u16) {
        match Socket::bind(port) {
            Ok(socket) if socket.port(Family::V4) == Some(port) => {
                *self.socket.write() = Some(Arc::new(socket));
            }
            _ => self.bind(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn new_sockets_keep_the_port_unless_somebody_holds_it() {
        let direct = Direct::new(false, 0);
        let old = direct.socket().unwrap();
        let told = std::cell::Cell::new(None);
        let port = direct
            .release(|| told.set(Some(direct.socket().is_none())))
            .await
            .unwrap();
        assert_eq!(told.get(), Some(true), "readers find no socket when told");
        // `old` is still held, as by a writer that waits.
        direct.bind_again(port);
        let other = direct.socket().unwrap().port(Family::V4).unwrap();
        assert_ne!(other, port);
        drop(old);
        assert_eq!(direct.release(|| ()).await, Some(other));
        direct.bind_again(port);
        assert_eq!(direct.socket().unwrap().port(Family::V4), Some(port));
        direct.unbind();
        assert_eq!(direct.release(|| ()).await, None);
    }
}
