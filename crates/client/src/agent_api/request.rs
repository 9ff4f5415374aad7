//! One request to the agent, and the reading of its answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::AgentApi;
use crate::Error;
use crate::call::error_of;

/// The largest JSON body that is read: a list of many files.
const MAX_JSON: usize = 64 << 20;
/// Error bodies are short texts.
const MAX_ERROR: usize = 1 << 20;
/// A name for the agent in addresses and messages; its connections know where they lead.
const ADDRESS: &str = "http://agent";

type Body = BoxBody<Bytes, std::io::Error>;

/// A request that is being put together.
pub struct Call<'a> {
    api: &'a AgentApi,
    method: Method,
    url: Url,
    body: Body,
    media_type: Option<&'static str>,
    timeout: Duration,
}

fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

impl AgentApi {
    /// Starts a request to a path, whose parts are percent-encoded already.
    pub(super) fn call(&self, method: Method, path: &str) -> Call<'_> {
        // Paths are ours, and their variable parts encoded: this always parses.
        let url = Url::parse(ADDRESS).and_then(|base| base.join(path));
        let url = url.unwrap_or_else(|_| unreachable_address());
        Call {
            api: self,
            method,
            url,
            body: whole(Bytes::new()),
            media_type: None,
            timeout: self.timeout,
        }
    }

    pub(super) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(super) fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }
}

/// An address that leads to the agent's "not found".
fn unreachable_address() -> Url {
    #[expect(clippy::expect_used, reason = "a constant that is known to parse")]
    Url::parse(ADDRESS).expect("a valid address")
}

/// An answer whose body is still to come, with the task that keeps its connection.
pub struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) url: Url,
    pub(super) connection: AbortOnDropHandle<()>,
}

impl Call<'_> {
    /// Adds `name=value` to the query.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.url
            .query_pairs_mut()
            .append_pair(name, &value.to_string());
        self
    }

    /// Sends `body` as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|e| Error::decode(&self.url, e))?;
        self.body = whole(bytes);
        self.media_type = Some("application/json");
        Ok(self)
    }

    /// Sends a stream of bytes.
    pub fn stream(
        mut self,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.body = BodyExt::boxed(StreamBody::new(body.map(|part| part.map(Frame::data))));
        self.media_type = Some("application/octet-stream");
        self
    }

    /// Waits so long for the answer to begin.
    pub fn patience(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the request; an answer that is no success is an error.
    pub async fn send(self) -> Result<Answer, Error> {
        let (url, method, timeout) = (self.url.clone(), self.method.clone(), self.timeout);
        let Ok(answer) = tokio::time::timeout(timeout, self.send_any()).await else {
            let reason = format!(
                "the agent did not answer within {} seconds",
                timeout.as_secs()
            );
            return Err(Error::Transport {
                url: crate::error::address(&url),
                reason,
            });
        };
        let answer = answer?;
        let status = answer.response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer);
        }
        let json = is_json(&answer.response);
        let body = answer.bytes(MAX_ERROR).await.unwrap_or_default();
        Err(error_of(status, &method, &url, json, None, &body))
    }

    async fn send_any(self) -> Result<Answer, Error> {
        let failed = |error: &dyn std::error::Error| Error::transport(&self.url, error);
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let mut request = Request::builder().method(self.method).uri(target);
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.api.headers.clone());
            headers.insert(HOST, HeaderValue::from_static("agent"));
            if let Some(kind) = self.media_type {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
        }
        let request = request.body(self.body).map_err(|e| failed(&e))?;
        let (response, connection) = self.api.dial.send(request).await.map_err(|e| failed(&*e))?;
        Ok(Answer {
            response,
            url: self.url,
            connection: AbortOnDropHandle::new(connection),
        })
    }

    /// Sends the request and reads a JSON answer.
    pub async fn decode<T: DeserializeOwned>(self) -> Result<T, Error> {
        let answer = self.send().await?;
        let url = answer.url.clone();
        let body = answer.bytes(MAX_JSON).await?;
        serde_json::from_slice(&body).map_err(|e| Error::decode(&url, e))
    }

    /// Sends the request and reads at most `limit` bytes.
    pub async fn read(self, limit: usize) -> Result<Bytes, Error> {
        self.send().await?.bytes(limit).await
    }

    /// Adds what asks for a WebSocket.
    pub(super) async fn upgrade(self, key: &str) -> Result<Answer, Error> {
        let mut api = self.api.clone();
        for (name, value) in [
            (CONNECTION, "Upgrade"),
            (http::header::UPGRADE, "websocket"),
            (http::header::SEC_WEBSOCKET_VERSION, "13"),
            (http::header::SEC_WEBSOCKET_KEY, key),
        ] {
            let value = HeaderValue::from_str(value).map_err(|e| Error::decode(&self.url, e))?;
            api.headers.insert(name, value);
        }
        Call { api: &api, ..self }.send().await
    }
}

fn is_json(response: &Response<Incoming>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

impl Answer {
    /// Reads the body of at most `limit` bytes.
    pub async fn bytes(self, limit: usize) -> Result<Bytes, Error> {
        let Self {
            response,
            url,
            connection,
        } = self;
        let mut body = response.into_body();
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| Error::transport(&url, &e))?;
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            if all.len() + bytes.len() > limit {
                let reason = format_args!("the answer is larger than {limit} bytes");
                return Err(Error::decode(&url, reason));
            }
            all.extend_from_slice(&bytes);
        }
        drop(connection);
        Ok(all.into())
    }
}
