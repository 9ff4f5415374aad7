//! The calling side.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use super::frame::Kind;
use super::status::Error;
use super::streams::{Receiver, Sender, SharedWriter, encode};
use super::wire::{BoxIo, PacketReader, PacketWriter};
use crate::mux::Session;

type Opening = Pin<Box<dyn Future<Output = Result<BoxIo, Error>> + Send>>;

/// Where calls go: each one opens a byte stream of its own.
#[derive(Clone)]
pub struct Channel {
    open: Arc<dyn Fn() -> Opening + Send + Sync>,
}

impl Channel {
    /// Calls over the streams of a session.
    pub fn over(session: Session) -> Self {
        Self {
            open: Arc::new(move || {
                let opened = session.open();
                Box::pin(async move { Ok(Box::new(opened?) as BoxIo) })
            }),
        }
    }

    /// Calls over connections that `connect` makes, one for each call.
    pub fn connecting<F, Fut, IO>(connect: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<IO>> + Send + 'static,
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self {
            open: Arc::new(move || {
                let connecting = connect();
                Box::pin(async move { Ok(Box::new(connecting.await?) as BoxIo) })
            }),
        }
    }

    /// One request, one answer. Dropping the future cancels the call.
    pub async fn unary<Req, Resp>(&self, method: &str, request: &Req) -> Result<Resp, Error>
    where
        Req: Message,
        Resp: Message + Default,
    {
        let mut answers = self.server_stream::<Req, Resp>(method, request).await?;
        answers.recv().await?.ok_or(Error::NoAnswer)
    }

    /// One request, many answers.
    pub async fn server_stream<Req, Resp>(
        &self,
        method: &str,
        request: &Req,
    ) -> Result<Receiver<Resp>, Error>
    where
        Req: Message,
        Resp: Message + Default,
    {
        let bytes = encode(request)?;
        let (writer, reader) = self.start(method).await?;
        {
            let mut writer = writer.lock().await;
            writer.queue(Kind::Message, &bytes);
            writer.queue(Kind::CloseSend, &[]);
            writer.flush().await?;
        }
        Ok(Receiver::from_packets(reader, writer))
    }

    /// Messages both ways, in any order.
    pub async fn bidi<Req, Resp>(
        &self,
        method: &str,
    ) -> Result<(Sender<Req>, Receiver<Resp>), Error>
    where
        Req: Message,
        Resp: Message + Default,
    {
        let (writer, reader) = self.start(method).await?;
        writer.lock().await.flush().await?;
        Ok((
            Sender::new(Arc::clone(&writer)),
            Receiver::from_packets(reader, writer),
        ))
    }

    async fn start(
        &self,
        method: &str,
    ) -> Result<(SharedWriter, PacketReader<tokio::io::ReadHalf<BoxIo>>), Error> {
        let io = (self.open)().await?;
        let (read, write) = tokio::io::split(io);
        let mut writer = PacketWriter::new(write, 1);
        writer.queue(Kind::Invoke, method.as_bytes());
        Ok((Arc::new(Mutex::new(writer)), PacketReader::new(read)))
    }
}
