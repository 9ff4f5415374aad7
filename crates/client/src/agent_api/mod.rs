//! Typed client of the HTTP API that an agent serves inside the tunnel.
//!
//! It knows nothing of tunnels: whoever makes it tells how a connection to the
//! agent's port ([`PORT`]) is opened. Each request has a connection of its own,
//! which inside a tunnel costs one round trip and no more.

mod containers;
mod context;
mod debug;
mod desktop;
mod files;
mod git;
mod processes;
mod request;

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use uuid::Uuid;

use crate::dial::Dial;

pub use containers::ContainersWatch;
pub use desktop::{DesktopRecording, DesktopView};
pub use files::FileBody;
pub use git::GitWatch;

/// The port of the API inside the tunnel.
pub const PORT: u16 = 4;
/// How long an answer may take where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The API of one agent. Clones are cheap.
#[derive(Clone)]
pub struct AgentApi {
    dial: Dial,
    headers: HeaderMap,
    timeout: Duration,
}

impl fmt::Debug for AgentApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentApi")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl AgentApi {
    /// The API behind the connections that `dial` opens.
    pub fn new<D, F, S>(dial: D) -> Self
    where
        D: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self {
            dial: Dial::new(dial),
            headers: HeaderMap::new(),
            timeout: TIMEOUT,
        }
    }

    /// The same API on behalf of a chat and those above it: its processes are its
    /// own, and what it changes is told to its watchers.
    #[must_use]
    pub fn for_chat(&self, chat: Uuid, ancestors: &[Uuid]) -> Self {
        let mut api = self.clone();
        let ancestors: Vec<_> = ancestors.iter().map(Uuid::to_string).collect();
        let ancestors = serde_json::json!(ancestors).to_string();
        for (name, value) in [
            ("coder-chat-id", chat.to_string()),
            ("coder-ancestor-chat-ids", ancestors),
        ] {
            // Identifiers and their lists are plain ASCII.
            if let Ok(value) = HeaderValue::from_str(&value) {
                api.headers.insert(HeaderName::from_static(name), value);
            }
        }
        api
    }

    /// The same API with another patience for an answer to begin. Waiting for a
    /// process has its own.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests;
