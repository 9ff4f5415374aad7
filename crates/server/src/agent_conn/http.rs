//! Requests to the agent's HTTP API (port 4), over a connection of their own.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::AgentConn;
use crate::ApiError;

/// Port of the agent's API.
const PORT: u16 = 4;
/// How long an answer may take; the agent gives up after 20 s itself.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer taken: an agent is not trusted to be brief.
const MAX_ANSWER: usize = 8 << 20;
/// What is read of a stream at once, and held for as long as it is followed.
const READ: usize = 16 << 10;

/// An answer of the agent.
#[derive(Debug)]
pub(crate) struct AgentResponse {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its whole body.
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiCallError {
    /// The agent cannot be reached.
    #[error("the agent cannot be reached: {0}")]
    Dial(#[from] std::io::Error),
    /// The agent does not speak HTTP as it should.
    #[error("the agent's answer cannot be read: {0}")]
    Http(#[from] hyper::Error),
    /// The agent's answer is too long or broken off.
    #[error("the agent's answer is broken off or longer than {MAX_ANSWER} bytes")]
    Body,
    /// The agent does not open a stream.
    #[error("the agent does not open the stream: {0}")]
    Stream(String),
    /// The agent takes too long.
    #[error("the agent did not answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

impl AgentConn {
    /// Asks the agent's API. `path` begins with a slash.
    pub(crate) async fn api(
        &self,
        method: Method,
        path: &str,
    ) -> Result<AgentResponse, ApiCallError> {
        tokio::time::timeout(TIMEOUT, self.api_unbounded(method, path))
            .await
            .unwrap_or(Err(ApiCallError::Timeout))
    }

    /// Follows a stream of texts of the agent's API, over a WebSocket.
    pub(crate) async fn api_watch(
        &self,
        path: &str,
    ) -> Result<impl Stream<Item = Result<String, ApiError>> + Send + use<>, ApiCallError> {
        let stream = self.dial_tcp(PORT).await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .max_message_size(Some(MAX_ANSWER))
            .max_frame_size(Some(MAX_ANSWER));
        let url = format!("ws://agent{path}");
        let open = tokio_tungstenite::client_async_with_config(url, stream, Some(config));
        let (socket, _) = tokio::time::timeout(TIMEOUT, open)
            .await
            .map_err(|_| ApiCallError::Timeout)?
            .map_err(|error| ApiCallError::Stream(error.to_string()))?;
        Ok(socket.filter_map(|message| {
            std::future::ready(match message {
                Ok(Message::Text(text)) => Some(Ok(text.to_string())),
                Ok(_) => None,
                Err(error) => Some(Err(ApiError::new(
                    StatusCode::BAD_GATEWAY,
                    format!("The agent's stream broke: {error}"),
                ))),
            })
        }))
    }

    async fn api_unbounded(
        &self,
        method: Method,
        path: &str,
    ) -> Result<AgentResponse, ApiCallError> {
        let stream = self.dial_tcp(PORT).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "agent")
            .body(Full::<Bytes>::default())
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(|_| ApiCallError::Body)?
                .to_bytes();
            Ok(AgentResponse { status, body })
        }
        .await;
        driver.abort();
        answer
    }
}
