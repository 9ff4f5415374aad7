//! The sockets of the agent: messages in JSON, each a WebSocket message of text; or bytes.

use api_types::{
    WorkspaceAgentGitClientMessage, WorkspaceAgentGitClientMessageType,
    WorkspaceAgentGitServerMessage,
};
use base64::Engine;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use uuid::Uuid;

use super::AgentApi;
use super::request::Call;
use crate::Error;

/// The largest message: a diff of three megabytes in JSON.
const MAX_MESSAGE: usize = 8 << 20;
/// What is read at once, and held for as long as changes are followed.
const READ: usize = 16 << 10;

/// A socket that carries JSON, or bytes.
pub(super) struct Socket {
    stream: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    url: Url,
    _connection: AbortOnDropHandle<()>,
}

impl Socket {
    /// Opens a socket by this request.
    pub(super) async fn open(call: Call<'_>) -> Result<Self, Error> {
        let key = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 16]>());
        let answer = call.upgrade(&key).await?;
        let upgraded = hyper::upgrade::on(answer.response)
            .await
            .map_err(|e| Error::transport(&answer.url, &e))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let upgraded = TokioIo::new(upgraded);
        Ok(Self {
            stream: WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await,
            url: answer.url,
            _connection: answer.connection,
        })
    }

    /// The next message; `None` when the agent has closed the socket.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Option<Result<T, Error>> {
        loop {
            return match self.stream.next().await? {
                Ok(Message::Text(text)) => {
                    Some(serde_json::from_str(&text).map_err(|e| Error::decode(&self.url, e)))
                }
                Ok(Message::Close(_)) | Err(WsError::ConnectionClosed) => None,
                Ok(_) => continue,
                Err(e) => Some(Err(Error::transport(&self.url, &e))),
            };
        }
    }

    /// The next bytes; `None` when the agent has closed the socket.
    pub(super) async fn next_bytes(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            return match self.stream.next().await? {
                Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
                Ok(Message::Close(_)) | Err(WsError::ConnectionClosed) => None,
                Ok(_) => continue,
                Err(e) => Some(Err(Error::transport(&self.url, &e))),
            };
        }
    }

    /// Sends bytes.
    pub(super) async fn send_bytes(&mut self, bytes: Bytes) -> Result<(), Error> {
        let sent = self.stream.send(Message::Binary(bytes)).await;
        sent.map_err(|e| Error::transport(&self.url, &e))
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(message).map_err(|e| Error::decode(&self.url, e))?;
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(|e| Error::transport(&self.url, &e))
    }
}

/// Watches the repositories of a chat.
pub struct GitWatch(Socket);

impl GitWatch {
    /// The next news; `None` when the agent has closed the socket.
    pub async fn next(&mut self) -> Option<Result<WorkspaceAgentGitServerMessage, Error>> {
        self.0.next().await
    }

    /// Asks the agent to look now.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let message = WorkspaceAgentGitClientMessage {
            r#type: WorkspaceAgentGitClientMessageType::Refresh,
        };
        self.0.send(&message).await
    }
}

impl AgentApi {
    /// Watches the repositories in which a chat has worked.
    pub async fn watch_git(&self, chat: Uuid) -> Result<GitWatch, Error> {
        let call = self.get("/api/v0/git/watch").query("chat_id", chat);
        Socket::open(call).await.map(GitWatch)
    }
}
