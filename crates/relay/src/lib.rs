//! The relay server (DERP): carries sealed packets between peers that cannot reach each other
//! directly, addressed by their public keys.
//!
//! It knows frames, queues and who is connected, and nothing of HTTP, of users or of what is in
//! the packets. The protocol's codec is [`tunnel_proto::derp`].

mod connection;
mod directory;
mod limit;
mod login;
mod outbox;
mod stun;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tunnel_proto::derp::FrameError;
use tunnel_proto::key::{NodePrivate, NodePublic};

use directory::Directory;
pub use stun::serve_stun;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The connection failed.
    #[error("the relay connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The client does not speak the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The client did not introduce itself in time, or not first.
    #[error("the relay client did not introduce itself: {0}")]
    Login(&'static str),
    /// The client asked for what only servers of the same region may.
    #[error("the relay client asked for a server's privilege")]
    Privilege,
    /// The client does not read what is sent to it.
    #[error("the relay client does not read")]
    Stuck,
}

/// A relay. Cheap to clone.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
}

/// What the connections of a relay share.
pub(crate) struct Shared {
    pub(crate) key: NodePrivate,
    pub(crate) directory: Directory,
    closing: watch::Sender<bool>,
}

impl Relay {
    /// A relay that proves itself by `key`.
    pub fn new(key: NodePrivate) -> Self {
        Self {
            shared: Arc::new(Shared {
                key,
                directory: Directory::default(),
                closing: watch::Sender::new(false),
            }),
        }
    }

    /// The key by which clients know this relay.
    pub fn public_key(&self) -> NodePublic {
        self.shared.key.public()
    }

    /// Number of clients that are connected, counted by key.
    pub fn client_count(&self) -> usize {
        self.shared.directory.len()
    }

    /// Serves a client until it leaves (`Ok`) or fails.
    pub async fn accept<IO>(&self, io: IO) -> Result<(), RelayError>
    where
        IO: AsyncRead + AsyncWrite + Send,
    {
        let mut closing = self.shared.closing.subscribe();
        tokio::select! {
            result = connection::run(io, &self.shared) => result,
            // An error would mean that the relay itself is gone: the same.
            _ = closing.wait_for(|closing| *closing) => Ok(()),
        }
    }

    /// Ends every connection and lets no new one in.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }
}
