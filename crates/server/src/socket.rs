//! WebSockets of browsers and CLIs: the handshake's checks, and one-way streams of text.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use futures::{Stream, StreamExt as _};
use url::Url;

use crate::{ApiError, AppState};

/// How often a peer is asked whether it is still there.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);
/// How long a peer may take to read a message.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest message of a peer on a one-way stream, where it has nothing to say.
const MAX_MESSAGE: usize = 4 << 10;
/// Bytes that are read at once on such a stream. All of it is held for as long as the socket lives.
const READ: usize = 4 << 10;

/// Closing codes of RFC 6455.
const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const INTERNAL_ERROR: u16 = 1011;

/// A request for a WebSocket. One that asks for none is a 426; one from a foreign page a 403.
pub(crate) struct Socket(WebSocketUpgrade);

impl FromRequestParts<AppState> for Socket {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        check_origin(parts, state)?;
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state)
            .await
            .map_err(|error| {
                ApiError::new(
                    StatusCode::UPGRADE_REQUIRED,
                    "This endpoint needs a WebSocket.",
                )
                .with_detail(error.body_text())
            })?;
        Ok(Socket(
            upgrade.read_buffer_size(READ).max_message_size(MAX_MESSAGE),
        ))
    }
}

/// Largest message of a peer that speaks in bytes: its frames are at most a window long.
const MAX_BYTES: usize = 1 << 20;
/// What is read of it at once: many sockets are quiet for most of the time.
const READ_BYTES: usize = 4 << 10;

impl Socket {
    /// Accepts, for a stream of bytes both ways.
    pub(crate) fn bytes<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.0
            .read_buffer_size(READ_BYTES)
            .max_message_size(MAX_BYTES)
            .max_frame_size(MAX_BYTES)
            .on_upgrade(serve)
    }

    /// Accepts, and sends every text of a stream. The end of the stream is a normal closure.
    pub(crate) fn send<S, T>(self, texts: S) -> Response
    where
        S: Stream<Item = Result<T, ApiError>> + Send + 'static,
        T: Into<Utf8Bytes> + Send + 'static,
    {
        self.0.on_upgrade(move |socket| pump(socket, texts))
    }
}

/// A page of another host must not use the cookies of this one.
fn check_origin(parts: &Parts, state: &AppState) -> Result<(), ApiError> {
    let Some(origin) = parts.headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().ok().and_then(|text| Url::parse(text).ok());
    let authority = |url: &Url| {
        let host = url.host_str()?.to_ascii_lowercase();
        Some(
            url.port()
                .map_or(host.clone(), |port| format!("{host}:{port}")),
        )
    };
    let from = origin.as_ref().and_then(authority);
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok());
    let own = authority(&state.control.settings().access_url);
    if from.is_some()
        && (from.as_deref() == host.map(str::to_ascii_lowercase).as_deref() || from == own)
    {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "A WebSocket may not be opened from another site.",
    )
    .with_detail("The Origin header names another host than the server's."))
}

async fn pump<S, T>(mut socket: WebSocket, texts: S)
where
    S: Stream<Item = Result<T, ApiError>> + Send + 'static,
    T: Into<Utf8Bytes> + Send + 'static,
{
    let mut texts = std::pin::pin!(texts);
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    let mut answered = true;
    let close = loop {
        let message = tokio::select! {
            text = texts.next() => match text {
                Some(Ok(text)) => Message::Text(text.into()),
                Some(Err(error)) => break Some((INTERNAL_ERROR, error.message().to_owned())),
                None => break Some((NORMAL, String::new())),
            },
            _ = ping.tick() => {
                if !answered {
                    // Gone without a word.
                    break None;
                }
                answered = false;
                Message::Ping(Vec::new().into())
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Pong(_))) => {
                    answered = true;
                    continue;
                }
                Some(Ok(Message::Ping(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    break Some((PROTOCOL_ERROR, "this stream takes no messages".to_owned()));
                }
            },
        };
        match tokio::time::timeout(WRITE_TIMEOUT, socket.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break None,
        }
    };
    if let Some((code, reason)) = close {
        let frame = CloseFrame {
            code,
            reason: short(reason).into(),
        };
        let _ = tokio::time::timeout(WRITE_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
        // Until the peer has read it all; it may be slow, but not for ever.
        let _ = tokio::time::timeout(WRITE_TIMEOUT, async {
            while let Some(Ok(message)) = socket.recv().await {
                if matches!(message, Message::Close(_)) {
                    break;
                }
            }
        })
        .await;
    }
}

/// A reason as it fits a closing frame.
fn short(mut reason: String) -> String {
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}
