//! The serving side: connections, and the calls on them.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf};
use tokio::sync::{Mutex, mpsc};

use super::call::{Call, Dispatch, Service};
use super::frame::{Kind, Packet};
use super::status::{Error, Status};
use super::streams::SharedWriter;
use super::wire::{BoxIo, PacketReader, PacketWriter};
use crate::mux::{MuxError, Session};

/// Messages of a call that wait for its handler; beyond it the connection is
/// not read, so the other side waits.
const INPUT_QUEUE: usize = 4;
/// Longest method name.
const MAX_METHOD: usize = 256;

/// The services that answer on a connection.
#[derive(Clone, Default)]
pub struct Router {
    services: Vec<Arc<dyn Service>>,
}

impl Router {
    /// No services yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service.
    #[must_use]
    pub fn with(mut self, service: impl Service + 'static) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    async fn answer(&self, mut call: Call) -> Result<(), Status> {
        for service in &self.services {
            match service.call(call) {
                Dispatch::Call(work) => return work.await,
                Dispatch::Unknown(back) => call = back,
            }
        }
        tracing::debug!(method = %call.method(), "call of a method that is not there");
        Err(Status::unimplemented())
    }
}

/// Answers the calls of a session, one stream each, until the session ends;
/// calls in progress are cancelled then.
pub async fn serve(session: Session, router: Router) -> MuxError {
    let mut calls = tokio::task::JoinSet::new();
    let router = Arc::new(router);
    loop {
        tokio::select! {
            stream = session.accept() => match stream {
                Ok(stream) => {
                    let router = Arc::clone(&router);
                    calls.spawn(async move {
                        if let Err(error) = serve_connection(stream, &router).await {
                            tracing::debug!(%error, "call failed");
                        }
                    });
                }
                Err(reason) => return reason,
            },
            Some(_) = calls.join_next() => {}
        }
    }
}

/// Answers the calls that come one after another on a connection, until it
/// ends.
pub async fn serve_connection<IO>(io: IO, router: &Router) -> Result<(), Error>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (read, write) = tokio::io::split(Box::new(io) as BoxIo);
    let mut reader = PacketReader::new(read);
    let writer: SharedWriter = Arc::new(Mutex::new(PacketWriter::new(write, 0)));
    let mut stream = 0;
    while let Some(packet) = reader.next().await? {
        // Late packets of a call that is over.
        if packet.stream <= stream || packet.kind != Kind::Invoke {
            continue;
        }
        stream = packet.stream;
        if !one_call(&packet, &mut reader, &writer, router).await? {
            break;
        }
    }
    Ok(())
}

/// Answers one call; false if the connection ended meanwhile.
async fn one_call(
    invoke: &Packet,
    reader: &mut PacketReader<ReadHalf<BoxIo>>,
    writer: &SharedWriter,
    router: &Router,
) -> Result<bool, Error> {
    if invoke.data.len() > MAX_METHOD {
        return Err(Error::Protocol("the method's name is too long".to_owned()));
    }
    writer.lock().await.start(invoke.stream);
    let (feed, input) = mpsc::channel(INPUT_QUEUE);
    let call = Call {
        method: String::from_utf8_lossy(&invoke.data).into_owned(),
        input,
        writer: Arc::clone(writer),
    };
    let work = router.answer(call);
    tokio::pin!(work);
    let input = feed_input(reader, feed, invoke.stream);
    tokio::pin!(input);
    // The work is dropped when the caller cancels or leaves.
    let result = tokio::select! {
        biased;
        result = &mut work => result,
        end = &mut input => return end,
    };
    let mut writer = writer.lock().await;
    match result {
        Ok(()) => writer.queue(Kind::CloseSend, &[]),
        Err(status) => writer.queue_error(&status),
    }
    writer.flush().await?;
    Ok(true)
}

/// Passes messages on until the caller cancels (true) or leaves (false).
async fn feed_input(
    reader: &mut PacketReader<ReadHalf<BoxIo>>,
    feed: mpsc::Sender<BytesMut>,
    stream: u64,
) -> Result<bool, Error> {
    let mut feed = Some(feed);
    loop {
        let Some(packet) = reader.next().await? else {
            return Ok(false);
        };
        if packet.stream != stream {
            return Err(Error::Protocol("it began a call inside another".to_owned()));
        }
        match packet.kind {
            Kind::Message => {
                if let Some(feed) = &feed {
                    // A handler that no longer listens still has to answer.
                    let _ = feed.send(packet.data).await;
                }
            }
            Kind::CloseSend => feed = None,
            Kind::Cancel | Kind::Close | Kind::Error => return Ok(true),
            Kind::Invoke => return Err(Error::Protocol("it called twice at once".to_owned())),
            Kind::InvokeMetadata => {}
        }
    }
}
