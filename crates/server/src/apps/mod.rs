//! Apps of workspaces in the browser: under a path of the access URL, or at hosts of their own.
//!
//! A request is told from others by `divert`, let in by `admit`, and passed on by `proxy`. Who may
//! what is decided by `control::apps`. Nothing of ours reaches an app, and no app reaches beyond
//! its place: that is `headers` and `cors`.

mod admit;
mod cors;
mod divert;
mod headers;
mod host;
mod notice;
mod page;
mod proxy;
mod sealed_key;
pub(crate) mod sign_in;
mod splice;
pub(crate) mod start;
mod stats;
pub(crate) mod terminal;
mod token;
mod upstream;
mod viewer;

use std::sync::Arc;

use chrono::Utc;
use control::Control;
use tokio_util::sync::CancellationToken;

use crate::Tailnet;
use crate::jwt::{self, Keys};

pub(crate) use divert::{divert, request_host};
pub(crate) use host::{WildcardHost, without_port};
pub(crate) use proxy::FromApp;
use stats::Sessions;
use token::Grant;

/// The proxy of apps. Cheap to clone.
#[derive(Clone)]
pub struct Apps(Arc<Inner>);

struct Inner {
    control: Control,
    host: Option<WildcardHost>,
    upstream: upstream::Upstream,
    tokens: Keys,
    sealing: Keys,
    sessions: Sessions,
}

impl Apps {
    /// A proxy that reaches apps through `tailnet`.
    pub fn new(control: Control, tailnet: Tailnet) -> Self {
        let wildcard = &control.settings().wildcard_access_url;
        // The option was checked when the server started.
        let host = WildcardHost::parse(wildcard).ok();
        Self(Arc::new(Inner {
            host,
            upstream: upstream::client(tailnet),
            tokens: Keys::new(control.clone(), token::FEATURE),
            sealing: Keys::new(control.clone(), sealed_key::FEATURE),
            sessions: Sessions::default(),
            control,
        }))
    }

    /// Writes down what is used, until cancelled.
    pub async fn run(&self, cancel: CancellationToken) {
        self.0.sessions.run(&self.0.control, cancel).await;
    }

    /// The hosts of apps, if they have any.
    fn host(&self) -> Option<&WildcardHost> {
        self.0.host.as_ref()
    }

    fn upstream(&self) -> &upstream::Upstream {
        &self.0.upstream
    }

    fn token_keys(&self) -> &Keys {
        &self.0.tokens
    }

    fn sealing_keys(&self) -> &Keys {
        &self.0.sealing
    }

    fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    async fn sign(&self, grant: &Grant) -> control::Result<String> {
        jwt::sign(&self.0.tokens, grant, Utc::now()).await
    }
}
