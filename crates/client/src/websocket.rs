//! WebSockets of the API: as a byte stream, as messages, as JSON documents.
//!
//! The handshake goes through the same HTTP client as every other request, so
//! headers, proxies and certificates apply alike.

use std::marker::PhantomData;

use base64::Engine;
use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use crate::call::failure;
use crate::{Client, Error};

/// The largest message accepted. The original's log followers send the whole
/// history of an agent as one message, which its own limit bounds at 1 MiB of
/// text; escapes may double that several times.
const MAX_MESSAGE: usize = 16 << 20;
/// Small on purpose: a client holds several sockets and little memory.
const BUFFER: usize = 16 << 10;

/// A WebSocket whose messages are whole units.
pub type MessageSocket = WebSocketStream<reqwest::Upgraded>;

/// A WebSocket as a byte stream; borders of messages carry no meaning.
pub trait ByteSocket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteSocket for T {}

/// A WebSocket that receives one JSON document per message.
pub struct JsonSocket<T> {
    socket: MessageSocket,
    url: url::Url,
    item: PhantomData<fn() -> T>,
}

impl Client {
    /// Opens a WebSocket at `path` (with query) that carries messages.
    pub async fn websocket_messages(&self, path: &str) -> Result<MessageSocket, Error> {
        let key = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 16]>());
        let text = HeaderValue::from_static;
        let headers = [
            (CONNECTION, text("Upgrade")),
            (UPGRADE, text("websocket")),
            (HeaderName::from_static("sec-websocket-version"), text("13")),
            // Base64 is always a valid header value; an empty one is refused by the server.
            (
                HeaderName::from_static("sec-websocket-key"),
                HeaderValue::from_str(&key).unwrap_or(text("")),
            ),
        ];
        let answer = self.call(Method::GET, path).send_any(&headers).await?;
        let url = answer.url().clone();
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(failure(&Method::GET, answer).await);
        }
        let expected = derive_accept_key(key.as_bytes());
        let given = answer
            .headers()
            .get("sec-websocket-accept")
            .and_then(|v| v.to_str().ok());
        if given != Some(expected.as_str()) {
            return Err(Error::decode(
                &url,
                "the server's WebSocket handshake is wrong",
            ));
        }
        let upgraded = answer
            .upgrade()
            .await
            .map_err(|e| Error::transport(&url, &e))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_MESSAGE)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }

    /// Opens a WebSocket at `path` (with query) that carries a byte stream.
    pub async fn websocket_bytes(&self, path: &str) -> Result<impl ByteSocket + use<>, Error> {
        let (sink, stream) = self.websocket_messages(path).await?.split();
        Ok(tokio::io::join(
            StreamReader::new(binary(stream)),
            SinkWriter::new(CopyToBytes::new(frames(sink))),
        ))
    }

    /// Opens a WebSocket at `path` (with query) that receives JSON documents.
    pub async fn websocket_json<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<JsonSocket<T>, Error> {
        let url = self.address_of(path)?;
        Ok(JsonSocket {
            socket: self.websocket_messages(path).await?,
            url,
            item: PhantomData,
        })
    }
}

impl<T> JsonSocket<T> {
    /// Reads a part of a document that has come by this socket.
    pub(crate) fn item<U: DeserializeOwned>(&self, part: serde_json::Value) -> Result<U, Error> {
        serde_json::from_value(part).map_err(|e| Error::decode(&self.url, e))
    }
}

impl<T: DeserializeOwned> JsonSocket<T> {
    /// The next document; `None` when the server has closed the socket.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        loop {
            return match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    Some(serde_json::from_str(&text).map_err(|e| Error::decode(&self.url, e)))
                }
                Ok(Message::Binary(bytes)) => {
                    Some(serde_json::from_slice(&bytes).map_err(|e| Error::decode(&self.url, e)))
                }
                Ok(Message::Close(_)) | Err(WsError::ConnectionClosed) => None,
                Ok(_) => continue,
                Err(e) => Some(Err(Error::transport(&self.url, &e))),
            };
        }
    }
}

fn io_error(error: WsError) -> std::io::Error {
    match error {
        WsError::Io(e) => e,
        other => std::io::Error::other(other),
    }
}

/// Payloads of binary messages; a close frame or a closed socket is the end.
fn binary(
    stream: impl Stream<Item = Result<Message, WsError>> + Send + Unpin,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin {
    stream
        .take_while(|m| {
            futures::future::ready(!matches!(
                m,
                Ok(Message::Close(_)) | Err(WsError::ConnectionClosed)
            ))
        })
        .filter_map(|m| {
            futures::future::ready(match m {
                Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
                Ok(Message::Text(_)) => Some(Err(std::io::Error::other(
                    "the server sent text on a binary WebSocket",
                ))),
                Ok(_) => None,
                Err(e) => Some(Err(io_error(e))),
            })
        })
}

/// Each buffer as one binary message.
fn frames(
    sink: impl Sink<Message, Error = WsError> + Send + Unpin,
) -> impl Sink<Bytes, Error = std::io::Error> + Send + Unpin {
    sink.sink_map_err(io_error).with(|bytes: Bytes| {
        futures::future::ready(Ok::<_, std::io::Error>(Message::Binary(bytes)))
    })
}
