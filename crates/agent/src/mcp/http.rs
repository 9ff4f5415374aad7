//! A server at an address: each message is a request, whose answer is one message
//! or a stream of events that holds it.

use std::collections::BTreeMap;

use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{ToolError, protocol};

/// Bytes of an answer.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Bytes of an error that are shown.
const MAX_ERROR: usize = 512;
/// The server's name for this connection.
const SESSION: &str = "mcp-session-id";

/// A server.
#[derive(Debug)]
pub struct Connection {
    http: reqwest::Client,
    url: String,
    session: Option<HeaderValue>,
    next: u64,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ToolError {
    std::io::Error::other(error).into()
}

impl Connection {
    /// The server at `url`; nothing is sent yet.
    pub fn new(
        url: &str,
        headers: &BTreeMap<String, String>,
        tls: rustls::ClientConfig,
    ) -> Result<Self, ToolError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(failed)?;
            map.insert(name, value.parse().map_err(failed)?);
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .default_headers(map)
            .build()
            .map_err(failed)?;
        Ok(Self {
            http,
            url: url.to_owned(),
            session: None,
            next: 0,
        })
    }

    /// Sends a request and waits for its answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Result<Value, ToolError> {
        self.next += 1;
        let id = self.next;
        let answer = self.send(&protocol::request(id, method, &params)).await?;
        let kind = answer.headers().get(CONTENT_TYPE).cloned();
        let events = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let mut body = answer.bytes_stream();
        let mut text = Vec::new();
        let mut read = 0;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(failed)?;
            read += bytes.len();
            if read > MAX_ANSWER {
                let text = format!("an answer of more than {MAX_ANSWER} bytes");
                return Err(ToolError::Protocol(text));
            }
            text.extend_from_slice(&bytes);
            if events && let Some(answer) = next_event(&mut text, id) {
                return answer;
            }
        }
        if events {
            return Err(ToolError::Protocol(
                "the events ended without an answer".into(),
            ));
        }
        let message = serde_json::from_slice(&text)
            .map_err(|error| ToolError::Protocol(error.to_string()))?;
        protocol::answer(message, id)
            .unwrap_or_else(|| Err(ToolError::Protocol("an answer to something else".into())))
    }

    /// Sends a message that wants no answer.
    pub async fn notify(&mut self, method: &str) -> Result<(), ToolError> {
        self.send(&protocol::notification(method)).await.map(drop)
    }

    async fn send(&mut self, message: &Value) -> Result<reqwest::Response, ToolError> {
        let mut request = self
            .http
            .post(&self.url)
            .header(ACCEPT, "application/json, text/event-stream")
            .json(message);
        if let Some(session) = &self.session {
            request = request.header(SESSION, session);
        }
        let answer = request.send().await.map_err(failed)?;
        if let Some(session) = answer.headers().get(SESSION) {
            self.session = Some(session.clone());
        }
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.bytes().await.unwrap_or_default();
        let text = String::from_utf8_lossy(&text[..text.len().min(MAX_ERROR)]).into_owned();
        Err(ToolError::Refused(format!("{status} {}", text.trim())))
    }
}

/// Takes complete events from `text` until one of them is the answer.
fn next_event(text: &mut Vec<u8>, id: u64) -> Option<Result<Value, ToolError>> {
    loop {
        let end = |gap: &[u8]| {
            let at = text.windows(gap.len()).position(|window| window == gap)?;
            Some((at, at + gap.len()))
        };
        let (end, next) = [end(b"\n\n"), end(b"\r\n\r\n")]
            .into_iter()
            .flatten()
            .min()?;
        let event = String::from_utf8_lossy(&text[..end]).into_owned();
        text.drain(..next);
        let data: Vec<_> = event
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(str::trim_start)
            .collect();
        if let Ok(message) = serde_json::from_str(&data.join("\n"))
            && let Some(answer) = protocol::answer(message, id)
        {
            return Some(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_found_among_events() {
        let mut text = b": hi\n\nevent: message\ndata: {\"method\":\"x\"}\r\n\r\n".to_vec();
        assert!(next_event(&mut text, 1).is_none() && text.is_empty());
        text.extend_from_slice(b"data: {\"id\":1,\ndata: \"result\":7}\n");
        assert!(next_event(&mut text, 1).is_none());
        text.extend_from_slice(b"\nrest");
        assert_eq!(next_event(&mut text, 1).unwrap().unwrap(), 7);
        assert_eq!(text, b"rest");
    }
}
