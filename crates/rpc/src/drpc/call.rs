//! One call at the serving side, and its way to a service.

use std::future::Future;
use std::pin::Pin;

use bytes::BytesMut;
use prost::Message;
use tokio::sync::mpsc;

use super::frame::Kind;
use super::status::{Error, Status};
use super::streams::{Receiver, Sender, SharedWriter, encode};

/// A call that came in.
pub struct Call {
    pub(super) method: String,
    pub(super) input: mpsc::Receiver<BytesMut>,
    pub(super) writer: SharedWriter,
}

/// What became of a call.
pub enum Dispatch {
    /// The work of answering it.
    Call(Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>),
    /// Not a method of this service.
    Unknown(Call),
}

/// Something that answers calls.
pub trait Service: Send + Sync {
    /// Takes the call if its method is one of this service.
    fn call(&self, call: Call) -> Dispatch;
}

impl Call {
    /// The full name, like `/coder.agent.v2.Agent/GetManifest`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Answers one request with one message.
    pub async fn unary<Req, Resp, F, Fut>(mut self, handler: F) -> Result<(), Status>
    where
        Req: Message + Default,
        Resp: Message,
        F: FnOnce(Req) -> Fut,
        Fut: Future<Output = Result<Resp, Status>>,
    {
        let request = self.request().await?;
        let answer = handler(request).await?;
        self.answer(&answer).await
    }

    /// Answers one request with many messages.
    pub async fn server_stream<Req, Resp, F, Fut>(mut self, handler: F) -> Result<(), Status>
    where
        Req: Message + Default,
        Resp: Message,
        F: FnOnce(Req, Sender<Resp>) -> Fut,
        Fut: Future<Output = Result<(), Status>>,
    {
        let request = self.request().await?;
        handler(request, Sender::new(self.writer)).await
    }

    /// Answers many requests with one message.
    pub async fn client_stream<Req, Resp, F, Fut>(self, handler: F) -> Result<(), Status>
    where
        Req: Message + Default,
        Resp: Message,
        F: FnOnce(Receiver<Req>) -> Fut,
        Fut: Future<Output = Result<Resp, Status>>,
    {
        let Self { input, writer, .. } = self;
        let answer = handler(Receiver::from_messages(input)).await?;
        let bytes = encode(&answer).map_err(Status::new)?;
        writer.lock().await.queue(Kind::Message, &bytes);
        Ok(())
    }

    /// Messages both ways.
    pub async fn bidi<Req, Resp, F, Fut>(self, handler: F) -> Result<(), Status>
    where
        Req: Message + Default,
        Resp: Message,
        F: FnOnce(Receiver<Req>, Sender<Resp>) -> Fut,
        Fut: Future<Output = Result<(), Status>>,
    {
        handler(
            Receiver::from_messages(self.input),
            Sender::new(self.writer),
        )
        .await
    }

    async fn request<Req: Message + Default>(&mut self) -> Result<Req, Status> {
        let bytes = self
            .input
            .recv()
            .await
            .ok_or_else(|| Status::new("the call ended before its request came"))?;
        Req::decode(bytes.freeze())
            .map_err(|error| Status::new(format!("the request could not be read: {error}")))
    }

    /// Queues the answer; the connection's task flushes it with the end.
    async fn answer<Resp: Message>(&self, answer: &Resp) -> Result<(), Status> {
        let bytes = encode(answer).map_err(Status::new)?;
        self.writer.lock().await.queue(Kind::Message, &bytes);
        Ok(())
    }
}

impl From<Error> for Status {
    /// What a handler says when a stream of its call fails.
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(status) => status,
            other => Self::new(other),
        }
    }
}
