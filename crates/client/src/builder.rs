//! How a client is put together: address, credentials and transport.

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api_types::Secret;
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use crate::dial::Dial;
use crate::tls::{self, TlsFiles};
use crate::{Client, Error, Inner, Way};

/// Carries the session token of a person or agent.
pub const SESSION_TOKEN_HEADER: &str = "coder-session-token";
/// Carries the server's version on every response.
pub const VERSION_HEADER: &str = "X-Coder-Build-Version";

/// A host that does not even accept a connection in this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Redirects within one host (a trailing slash, `http` to `https`); more is a loop.
const MAX_REDIRECTS: usize = 5;

/// Settings of a [`Client`].
#[derive(Debug)]
pub struct Builder {
    url: Url,
    token: Secret<String>,
    headers: HeaderMap,
    tls: TlsFiles,
    user_agent: Option<String>,
    dial: Option<Dial>,
}

impl Builder {
    pub(crate) fn new(url: Url) -> Self {
        Self {
            url,
            token: Secret::default(),
            headers: HeaderMap::new(),
            tls: TlsFiles::default(),
            user_agent: None,
            dial: None,
        }
    }

    /// The session token to send; none is sent when empty.
    #[must_use]
    pub fn token(mut self, token: Secret<String>) -> Self {
        self.token = token;
        self
    }

    /// Headers that every request carries.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Roots and client certificate.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = files;
        self
    }

    /// How the client names itself.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = Some(name.into());
        self
    }

    /// Sends every request over a connection of its own that `dial` opens, in plain HTTP/1.1: neither
    /// TLS, proxies nor redirects have a part in it.
    #[must_use]
    pub fn dial<D, F, S>(mut self, dial: D) -> Self
    where
        D: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.dial = Some(Dial::new(dial));
        self
    }

    /// Puts the client together; nothing is sent yet. Proxies come from
    /// `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    pub fn build(self) -> Result<Client, Error> {
        if !matches!(self.url.scheme(), "http" | "https") || self.url.host_str().is_none() {
            return Err(Error::Url(url::ParseError::EmptyHost));
        }
        let tls = tls::tls_with(&self.tls)?;
        let way = match self.dial {
            Some(dial) => Way::Dialed {
                dial,
                user_agent: self.user_agent,
            },
            None => {
                let mut http = reqwest::Client::builder()
                    .tls_backend_preconfigured(tls.clone())
                    .http1_only()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .redirect(same_host_only());
                if let Some(name) = self.user_agent {
                    http = http.user_agent(name);
                }
                Way::Web(http.build().map_err(|e| Error::transport(&self.url, &e))?)
            }
        };
        Ok(Client {
            inner: Arc::new(Inner {
                url: self.url,
                token: self.token,
                headers: self.headers,
                way,
                tls: Arc::new(tls),
                server_version: OnceLock::new(),
                warnings: OnceLock::new(),
            }),
        })
    }
}

/// Follows redirects on the same host alone: the token must not travel elsewhere.
fn same_host_only() -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(|attempt| {
        let stays = attempt.previous().last().is_some_and(|from| {
            from.host_str() == attempt.url().host_str()
                && !(from.scheme() == "https" && attempt.url().scheme() == "http")
        });
        if stays && attempt.previous().len() <= MAX_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}
