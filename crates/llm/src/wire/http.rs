//! The pooled HTTP client of all providers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api_types::Secret;
use futures::StreamExt;

use super::classify::{self, Signal, classify};
use super::tap::Tap;
use super::{Outgoing, hints, redact::redact};
use crate::{Error, ErrorKind};

/// A host that does not accept a connection in this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an idle connection is kept for the next call.
const POOL_IDLE: Duration = Duration::from_secs(90);
/// How long a provider may be silent before the call is given up: models may think for minutes.
const SILENCE: Duration = Duration::from_mins(10);
/// Longest error body that is read; a longer one is a page of some proxy.
const MAX_ERROR_BODY: usize = 64 << 10;

/// Connections to model providers, pooled over all calls. Proxies come from `HTTP_PROXY`,
/// `HTTPS_PROXY` and `NO_PROXY`. Redirects are never followed: they would carry the key elsewhere.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    silence: Duration,
    user_agent: Arc<str>,
}

impl Http {
    /// A client that names itself `user_agent`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(user_agent: &str) -> Result<Self, Error> {
        let client = builder()?
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .tcp_nodelay(true)
            .build()
            .map_err(|e| unset(&e.to_string()))?;
        Ok(Self {
            client,
            silence: SILENCE,
            user_agent: user_agent.into(),
        })
    }

    /// The same connections, but giving up after `silence` without a piece of the answer.
    #[must_use]
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    pub(crate) fn silence_limit(&self) -> Duration {
        self.silence
    }

    /// Sends `outgoing`; an answer that is not a success is an error.
    pub(crate) async fn send(
        &self,
        mut outgoing: Outgoing,
        provider: &str,
        secrets: &[Secret<String>],
        tap: &Tap,
    ) -> Result<reqwest::Response, Error> {
        let mut headers = std::mem::take(&mut outgoing.headers);
        if let Ok(value) = ::http::HeaderValue::from_str(&self.user_agent) {
            headers.entry(::http::header::USER_AGENT).or_insert(value);
        }
        let mut open = tap.begin(&outgoing, &headers, secrets);
        let response = self
            .client
            .post(outgoing.url)
            .headers(headers)
            .body(outgoing.body)
            .send()
            .await
            .map_err(|error| {
                let error = transport(error, provider, secrets);
                if let Some(open) = &mut open {
                    open.failed(&error);
                }
                error
            })?;
        if let Some(open) = &mut open {
            open.answered(&response);
        }
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(response);
        }
        let retry_after = hints::retry_after(response.headers(), chrono::Utc::now());
        let body = error_body(response).await;
        let retry_after = retry_after.or_else(|| hints::told_in(&body));
        if let Some(open) = &mut open {
            open.refused(&body);
        }
        let (code, message) = classify::body(&body);
        Err(classify(
            &Signal {
                provider,
                status,
                code,
                message,
                retry_after,
            },
            secrets,
        ))
    }
}

/// What all clients here have in common: TLS with the system's roots, and no redirects.
pub(crate) fn builder() -> Result<reqwest::ClientBuilder, Error> {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|e| unset(&e.to_string()))?
    .with_root_certificates(roots())
    .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none()))
}

fn unset(reason: &str) -> Error {
    Error::new(
        ErrorKind::Generic,
        "Connections to model providers cannot be set up.",
    )
    .detail(reason)
}

/// A whole answer, whatever its status.
pub(crate) struct RawAnswer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// Sends what is no call of a model; an answer of any status, of at most `limit` bytes.
    pub(crate) async fn send_raw(
        &self,
        outgoing: Outgoing,
        provider: &str,
        secrets: &[Secret<String>],
        limit: usize,
    ) -> Result<RawAnswer, Error> {
        let whole = async {
            let response = self
                .client
                .post(outgoing.url)
                .headers(outgoing.headers)
                .body(outgoing.body)
                .send()
                .await
                .map_err(|error| transport(error, provider, secrets))?;
            let status = response.status().as_u16();
            let mut body = Vec::new();
            let mut pieces = response.bytes_stream();
            while let Some(piece) = pieces.next().await {
                body.extend_from_slice(&piece.map_err(|e| transport(e, provider, secrets))?);
                if body.len() > limit {
                    body.truncate(limit);
                    break;
                }
            }
            Ok(RawAnswer { status, body })
        };
        tokio::time::timeout(CONNECT_TIMEOUT, whole)
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    classify::sentence(ErrorKind::Timeout, provider, 0),
                )
                .provider(provider))
            })
    }
}

/// The system's roots, read once.
fn roots() -> Arc<rustls::RootCertStore> {
    static ROOTS: OnceLock<Arc<rustls::RootCertStore>> = OnceLock::new();
    ROOTS
        .get_or_init(|| {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(roots)
        })
        .clone()
}

/// The body of an error, empty when it is too long or breaks off.
async fn error_body(response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(Ok(piece)) = stream.next().await {
        body.extend_from_slice(&piece);
        if body.len() > MAX_ERROR_BODY {
            return Vec::new();
        }
    }
    body
}

/// A connection that failed or broke.
pub(crate) fn transport(
    error: reqwest::Error,
    provider: &str,
    secrets: &[Secret<String>],
) -> Error {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    Error::new(
        ErrorKind::Timeout,
        classify::sentence(ErrorKind::Timeout, provider, 0),
    )
    .detail(&redact(&reason, secrets))
    .provider(provider)
}
