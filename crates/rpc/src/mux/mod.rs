//! Many byte streams over one: yamux, as spoken by hashicorp/yamux 0.1.
//!
//! [`Session`] owns the connection; [`Stream`] is one of its streams. The side
//! that dialed is the [`Role::Client`] and opens odd stream ids.

mod frame;
mod io;
mod session;
mod state;
mod stream;
#[cfg(test)]
mod tests;

pub use session::{Config, Role, Session};
pub use stream::Stream;

/// Why a session or a call on it ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MuxError {
    /// The other side closed the connection, or we did.
    #[error("the multiplexed connection is closed")]
    Closed,
    /// The other side announced that it takes no more streams.
    #[error("the other side takes no new streams")]
    GoingAway,
    /// The connection failed.
    #[error("the multiplexed connection failed: {0}")]
    Io(std::sync::Arc<std::io::Error>),
    /// The other side broke the protocol.
    #[error("the other side broke the multiplexing protocol: {0}")]
    Protocol(String),
    /// No answer to a ping in time.
    #[error("the other side did not answer a ping in time")]
    Timeout,
    /// Too many streams are open, or all ids are used up.
    #[error("no more streams can be opened on this connection")]
    TooManyStreams,
}

impl From<MuxError> for std::io::Error {
    fn from(error: MuxError) -> Self {
        let kind = match &error {
            MuxError::Closed | MuxError::GoingAway => std::io::ErrorKind::ConnectionAborted,
            MuxError::Io(inner) => inner.kind(),
            MuxError::Protocol(_) => std::io::ErrorKind::InvalidData,
            MuxError::Timeout => std::io::ErrorKind::TimedOut,
            MuxError::TooManyStreams => std::io::ErrorKind::QuotaExceeded,
        };
        std::io::Error::new(kind, error)
    }
}
