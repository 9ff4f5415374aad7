//! News of one thing after another, as server-sent events or by WebSocket.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::{Stream, StreamExt as _};
use serde::Serialize;

/// How often a silent stream says that it is alive.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);

/// One piece of news.
pub(crate) enum Event {
    /// A sign of life.
    Ping,
    /// The thing as it is now, in JSON.
    Data(String),
    /// Why there is no more news, in JSON.
    Error(String),
}

impl Event {
    /// A thing as it is now.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, control::Error> {
        match serde_json::to_string(value) {
            Ok(json) => Ok(Event::Data(json)),
            Err(error) => Err(control::Error::internal(error)),
        }
    }

    /// An error in the usual envelope.
    pub(crate) fn failed(error: &control::Error) -> Self {
        let body = api_types::Response {
            message: error.message.clone(),
            detail: error.detail.clone(),
            validations: Vec::new(),
        };
        Event::Error(serde_json::to_string(&body).unwrap_or_else(|_| "null".to_owned()))
    }

    /// Exactly two lines and an empty one: clients read no more of the standard.
    fn as_sse(&self) -> String {
        match self {
            Event::Ping => "event: ping\ndata: \n\n".to_owned(),
            Event::Data(json) => format!("event: data\ndata: {json}\n\n"),
            Event::Error(json) => format!("event: error\ndata: {json}\n\n"),
        }
    }

    /// As a message of a WebSocket.
    pub(crate) fn as_json(&self) -> String {
        match self {
            Event::Ping => r#"{"type":"ping","data":null}"#.to_owned(),
            Event::Data(json) => format!(r#"{{"type":"data","data":{json}}}"#),
            Event::Error(json) => format!(r#"{{"type":"error","data":{json}}}"#),
        }
    }
}

/// Events as a response that goes on until they end.
pub(crate) fn sse(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let body = events.map(|event| Ok::<_, Infallible>(Bytes::from(event.as_sse())));
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies must not hold events back.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}
