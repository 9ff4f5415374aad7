//! A session: opens and accepts streams, pings, ends.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::MuxError;
use super::state::State;
use super::stream::Stream;

/// Which side of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Dialed the connection.
    Client,
    /// Accepted the connection.
    Server,
}

/// Settings of a session.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Time between keepalive pings; `None` sends none.
    pub keepalive: Option<Duration>,
    /// How long an answer to a ping may take before the session is given up.
    pub ping_timeout: Duration,
}

impl Default for Config {
    /// As hashicorp/yamux: a ping each 30 s, to be answered within 10 s.
    fn default() -> Self {
        Self {
            keepalive: Some(Duration::from_secs(30)),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// What sessions, streams and the connection's task share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Rings when the session is over and its last bytes are written.
    pub(super) done: Notify,
}

/// Closes the session when the last user is gone.
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    ping_timeout: Duration,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.state.lock().close(MuxError::Closed);
    }
}

/// A multiplexed connection. Cheap to clone; the connection closes when all
/// clones and all streams are dropped.
#[derive(Clone)]
pub struct Session {
    handle: Arc<Handle>,
}

impl Session {
    /// Starts a session on `io`; its task runs on the current tokio runtime.
    pub fn new<IO>(io: IO, role: Role, config: Config) -> Self
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(role == Role::Client)),
            done: Notify::new(),
        });
        tokio::spawn(super::io::run(io, Arc::clone(&shared), config));
        Self {
            handle: Arc::new(Handle {
                shared,
                ping_timeout: config.ping_timeout,
            }),
        }
    }

    /// Opens a stream; does not wait for the other side.
    pub fn open(&self) -> Result<Stream, MuxError> {
        let id = self.handle.shared.state.lock().open()?;
        Ok(Stream::new(Arc::clone(&self.handle), id))
    }

    /// Waits for a stream that the other side opens.
    ///
    /// Fails when the session is over.
    pub async fn accept(&self) -> Result<Stream, MuxError> {
        let id = poll_fn(
            |cx| match self.handle.shared.state.lock().accept(cx.waker()) {
                Some(result) => Poll::Ready(result),
                None => Poll::Pending,
            },
        )
        .await?;
        Ok(Stream::new(Arc::clone(&self.handle), id))
    }

    /// Asks for a sign of life and returns how long it took.
    ///
    /// Fails with [`MuxError::Timeout`] after the configured time; the session
    /// itself goes on.
    pub async fn ping(&self) -> Result<Duration, MuxError> {
        let begin = Instant::now();
        let answer = self.handle.shared.state.lock().ping()?;
        match tokio::time::timeout(self.handle.ping_timeout, answer).await {
            Ok(Ok(())) => Ok(begin.elapsed()),
            Ok(Err(_)) => Err(self.reason()),
            Err(_) => Err(MuxError::Timeout),
        }
    }

    /// Ends the session and all its streams.
    pub fn close(&self) {
        self.handle.shared.state.lock().close(MuxError::Closed);
    }

    /// Waits for the end of the session and says why it ended.
    pub async fn closed(&self) -> MuxError {
        loop {
            let done = self.handle.shared.done.notified();
            tokio::pin!(done);
            // Registered before the check, so that no ring is missed.
            done.as_mut().enable();
            if let Some(reason) = &self.handle.shared.state.lock().closed {
                return reason.clone();
            }
            done.await;
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    fn reason(&self) -> MuxError {
        let state = self.handle.shared.state.lock();
        state.closed.clone().unwrap_or(MuxError::Closed)
    }
}
