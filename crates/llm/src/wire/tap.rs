//! What went over the wire, for those who look for faults: told as it was, without credentials.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api_types::Secret;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::Outgoing;

/// What stands in place of a credential.
pub const REDACTED: &str = "[REDACTED]";
/// Headers whose values are never told.
const PRIVATE_HEADERS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];

/// One request to a provider, and the head of its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Where to, without query and user.
    pub url: String,
    /// The path of it.
    pub path: String,
    /// Headers that were sent.
    pub request_headers: Vec<(String, String)>,
    /// What was sent.
    pub request_body: Bytes,
    /// HTTP status of the answer; 0 when there was none.
    pub status: u16,
    /// Headers of the answer.
    pub response_headers: Vec<(String, String)>,
    /// Body of an answer that was no success.
    pub response_body: Bytes,
    /// Why there was no answer.
    pub error: Option<String>,
    /// When it was sent.
    pub started_at: DateTime<Utc>,
    /// Until the head of the answer came.
    pub took: Duration,
}

/// Where exchanges are told; by default nowhere.
#[derive(Clone, Default)]
pub struct Tap(Option<Arc<dyn Fn(Exchange) + Send + Sync>>);

impl Tap {
    /// Tells exchanges to `told`, which must not block.
    pub fn new(told: impl Fn(Exchange) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// Notes what is about to be sent; nothing if nobody is told.
    pub(crate) fn begin(
        &self,
        outgoing: &Outgoing,
        headers: &HeaderMap,
        secrets: &[Secret<String>],
    ) -> Option<Open> {
        let told = self.0.clone()?;
        let mut url = outgoing.url.clone();
        url.set_query(None);
        // Neither can fail for an address that a request is sent to.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Some(Open {
            told,
            began: Instant::now(),
            secrets: secrets.to_vec(),
            exchange: Exchange {
                path: url.path().to_owned(),
                url: without(secrets, url.as_str()),
                request_headers: head(headers, secrets),
                request_body: body(&outgoing.body, secrets),
                status: 0,
                response_headers: Vec::new(),
                response_body: Bytes::new(),
                error: None,
                started_at: Utc::now(),
                took: Duration::ZERO,
            },
        })
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "Tap(on)"
        } else {
            "Tap(off)"
        })
    }
}

/// An exchange under way; dropped, it is told as it stands.
pub(crate) struct Open {
    told: Arc<dyn Fn(Exchange) + Send + Sync>,
    began: Instant,
    secrets: Vec<Secret<String>>,
    exchange: Exchange,
}

impl Open {
    /// The head of the answer came.
    pub(crate) fn answered(&mut self, response: &reqwest::Response) {
        self.exchange.took = self.began.elapsed();
        self.exchange.status = response.status().as_u16();
        self.exchange.response_headers = head(response.headers(), &self.secrets);
    }

    /// The body of a refusal came.
    pub(crate) fn refused(&mut self, text: &[u8]) {
        self.exchange.response_body = body(text, &self.secrets);
    }

    /// No answer came.
    pub(crate) fn failed(&mut self, error: &crate::Error) {
        self.exchange.took = self.began.elapsed();
        let reason = format!("{} {}", error.message, error.detail);
        self.exchange.error = Some(reason.trim_end().to_owned());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.exchange.took.is_zero() {
            self.exchange.took = self.began.elapsed();
            self.exchange.error = Some("The request was given up.".to_owned());
        }
        (self.told)(self.exchange.clone());
    }
}

fn without(secrets: &[Secret<String>], text: &str) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(Secret::expose) {
        if !secret.is_empty() && text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), REDACTED);
        }
    }
    text
}

fn body(bytes: &[u8], secrets: &[Secret<String>]) -> Bytes {
    match std::str::from_utf8(bytes) {
        Ok(text) => without(secrets, text).into(),
        // No provider sends or takes such: nothing of it is told.
        Err(_) => Bytes::from_static(b"[not text]"),
    }
}

fn head(headers: &HeaderMap, secrets: &[Secret<String>]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let private = value.is_sensitive() || PRIVATE_HEADERS.contains(&name.as_str());
            let text = match value.to_str() {
                Ok(text) if !private => without(secrets, text),
                _ => REDACTED.to_owned(),
            };
            (name.as_str().to_owned(), text)
        })
        .collect()
}
