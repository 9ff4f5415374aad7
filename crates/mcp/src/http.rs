//! The streamable HTTP transport: each message is a request of its own, whose answer is one message
//! or a stream of events that holds it.

use std::sync::atomic::{AtomicU64, Ordering};

use ::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use futures::StreamExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use url::Url;

use crate::events::Events;
use crate::protocol::{self, shortened};
use crate::{Channel, Error};

/// Bytes of an answer: a large picture, and more.
pub(crate) const MAX_ANSWER: usize = 16 << 20;
/// Bytes of an error that are read.
const MAX_ERROR: usize = 4 << 10;
/// The server's name for this conversation.
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The revision that was agreed on.
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// A server at an address.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    /// What the first answer told: session and revision.
    agreed: Mutex<HeaderMap>,
    next: AtomicU64,
}

impl Http {
    pub(crate) fn new(client: reqwest::Client, url: Url, headers: HeaderMap) -> Self {
        Http {
            client,
            url,
            headers,
            agreed: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }

    async fn send(&self, message: &Value) -> Result<reqwest::Response, Error> {
        let mut headers = self.headers.clone();
        let agreed = self.agreed.lock().clone();
        let in_session = agreed.contains_key(SESSION);
        headers.extend(agreed);
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        let request = self.client.post(self.url.clone()).headers(headers);
        let answer = request.json(message).send().await?;
        accepted(answer, in_session).await
    }

    async fn read(&self, answer: reqwest::Response, id: u64) -> Result<Value, Error> {
        let kind = answer.headers().get(CONTENT_TYPE).cloned();
        let streams = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let mut body = answer.bytes_stream();
        let mut events = Events::default();
        let (mut whole, mut read) = (Vec::new(), 0);
        while let Some(piece) = body.next().await {
            let piece = piece?;
            read += piece.len();
            if read > MAX_ANSWER {
                let text = format!("an answer of more than {MAX_ANSWER} bytes");
                return Err(Error::Protocol(text));
            }
            if !streams {
                whole.extend_from_slice(&piece);
                continue;
            }
            events.push(&piece);
            while let Some(event) = events.next() {
                let Ok(message) = serde_json::from_str::<Value>(&event.data) else {
                    continue;
                };
                if let Some(reply) = protocol::reply(&message) {
                    self.send(&reply).await?;
                } else if let Some(answer) = protocol::answer(message, id) {
                    return answer;
                }
            }
        }
        if streams {
            return Err(Error::Protocol("the events ended without an answer".into()));
        }
        let message =
            serde_json::from_slice(&whole).map_err(|error| Error::Protocol(error.to_string()))?;
        protocol::answer(message, id)
            .unwrap_or_else(|| Err(Error::Protocol("an answer to something else".into())))
    }

    /// Tells the server that its session is over; whether it hears is its own affair.
    pub(crate) async fn close(&self) {
        let agreed = std::mem::take(&mut *self.agreed.lock());
        if !agreed.contains_key(SESSION) {
            return;
        }
        let mut headers = self.headers.clone();
        headers.extend(agreed);
        let goodbye = self.client.delete(self.url.clone()).headers(headers);
        if let Err(error) = goodbye.send().await {
            tracing::debug!(error = %error.without_url(), "an MCP server heard no goodbye");
        }
    }
}

impl Channel for Http {
    async fn request(&self, method: &str, params: Value) -> Result<Value, Error> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let answer = self.send(&protocol::request(id, method, &params)).await?;
        let session = answer.headers().get(SESSION).cloned();
        let result = self.read(answer, id).await?;
        if method == "initialize" {
            let mut agreed = HeaderMap::new();
            if let Some(session) = session {
                agreed.insert(SESSION, session);
            }
            let revision = result.get("protocolVersion").and_then(Value::as_str);
            if let Some(Ok(revision)) = revision.map(HeaderValue::from_str) {
                agreed.insert(REVISION, revision);
            }
            *self.agreed.lock() = agreed;
        }
        Ok(result)
    }

    async fn notify(&self, method: &str) -> Result<(), Error> {
        let message = protocol::notification(method, &serde_json::json!({}));
        self.send(&message).await.map(drop)
    }
}

/// An answer that is a success.
pub(crate) async fn accepted(
    answer: reqwest::Response,
    in_session: bool,
) -> Result<reqwest::Response, Error> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if status == ::http::StatusCode::UNAUTHORIZED {
        return Err(Error::Unauthorized);
    }
    if in_session && status == ::http::StatusCode::NOT_FOUND {
        return Err(Error::SessionLost);
    }
    if status.is_redirection() {
        return Err(Error::Refused(format!(
            "{status}: it sends us elsewhere, which is not followed; use the address it moved to"
        )));
    }
    let text = bounded(answer, MAX_ERROR).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    Err(Error::Refused(format!("{status} {}", shortened(&text))))
}

/// The beginning of a body.
pub(crate) async fn bounded(answer: reqwest::Response, most: usize) -> Vec<u8> {
    let mut body = answer.bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(piece)) = body.next().await {
        text.extend_from_slice(&piece);
        if text.len() >= most {
            text.truncate(most);
            break;
        }
    }
    text
}
