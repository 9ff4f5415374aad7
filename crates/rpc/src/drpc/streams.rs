//! The two directions of a streaming call, typed.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::BytesMut;
use prost::Message;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Mutex, mpsc};

use super::MAX_MESSAGE;
use super::frame::Kind;
use super::status::Error;
use super::wire::{BoxIo, PacketReader, PacketWriter, parse_error};

/// The writing half that the sides of a call share.
pub(super) type SharedWriter = Arc<Mutex<PacketWriter<WriteHalf<BoxIo>>>>;

/// Sends the messages of one direction.
pub struct Sender<T> {
    writer: SharedWriter,
    _message: PhantomData<fn(T)>,
}

impl<T: Message> Sender<T> {
    pub(super) fn new(writer: SharedWriter) -> Self {
        Self {
            writer,
            _message: PhantomData,
        }
    }

    /// Sends a message; waits while the other side is slow.
    ///
    /// Fails if the message is larger than [`MAX_MESSAGE`], or the call is over.
    pub async fn send(&mut self, message: &T) -> Result<(), Error> {
        let bytes = encode(message)?;
        let mut writer = self.writer.lock().await;
        writer.queue(Kind::Message, &bytes);
        Ok(writer.flush().await?)
    }

    /// Tells the other side that no more messages come.
    pub async fn finish(self) -> Result<(), Error> {
        let mut writer = self.writer.lock().await;
        writer.queue(Kind::CloseSend, &[]);
        Ok(writer.flush().await?)
    }
}

/// Encodes a message, minding the limit.
pub(super) fn encode<T: Message>(message: &T) -> Result<Vec<u8>, Error> {
    let size = message.encoded_len();
    if size > MAX_MESSAGE {
        return Err(Error::Protocol(format!(
            "a message of {size} bytes is over the limit of {MAX_MESSAGE}"
        )));
    }
    Ok(message.encode_to_vec())
}

enum Source {
    /// The caller's side reads the connection itself.
    Packets(PacketReader<ReadHalf<BoxIo>>),
    /// The serving side gets messages from the connection's task.
    Messages(mpsc::Receiver<BytesMut>),
    /// The end was seen.
    Ended,
}

/// Receives the messages of one direction.
pub struct Receiver<T> {
    source: Source,
    _message: PhantomData<fn() -> T>,
    /// Keeps the call alive while its answers are awaited.
    _writer: Option<SharedWriter>,
}

impl<T: Message + Default> Receiver<T> {
    pub(super) fn from_packets(
        reader: PacketReader<ReadHalf<BoxIo>>,
        writer: SharedWriter,
    ) -> Self {
        Self {
            source: Source::Packets(reader),
            _message: PhantomData,
            _writer: Some(writer),
        }
    }

    pub(super) fn from_messages(messages: mpsc::Receiver<BytesMut>) -> Self {
        Self {
            source: Source::Messages(messages),
            _message: PhantomData,
            _writer: None,
        }
    }

    /// The next message, or `None` when the other side has said that there are
    /// no more. May be dropped and called again without loss.
    pub async fn recv(&mut self) -> Result<Option<T>, Error> {
        let result = match &mut self.source {
            Source::Ended => return Ok(None),
            Source::Messages(messages) => Ok(messages.recv().await),
            Source::Packets(reader) => next_message(reader).await,
        };
        match result {
            Ok(Some(bytes)) => Ok(Some(T::decode(bytes.freeze())?)),
            Ok(None) => {
                self.source = Source::Ended;
                Ok(None)
            }
            Err(error) => {
                self.source = Source::Ended;
                Err(error)
            }
        }
    }
}

/// The next message of a call, seen from the caller.
async fn next_message(
    reader: &mut PacketReader<ReadHalf<BoxIo>>,
) -> Result<Option<BytesMut>, Error> {
    loop {
        let Some(packet) = reader.next().await? else {
            return Err(Error::Io(std::io::ErrorKind::UnexpectedEof.into()));
        };
        match packet.kind {
            Kind::Message => return Ok(Some(packet.data)),
            Kind::Error => return Err(Error::Refused(parse_error(&packet.data))),
            Kind::CloseSend | Kind::Close | Kind::Cancel => return Ok(None),
            Kind::Invoke => return Err(Error::Protocol("it called its caller".to_owned())),
            Kind::InvokeMetadata => {}
        }
    }
}
