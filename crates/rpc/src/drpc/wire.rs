//! Packets over a byte stream.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::frame::{self, Assembler, Kind, Packet};
use super::status::{Error, Status};

/// Both directions of a call's byte stream, type-erased.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A call's byte stream.
pub(super) type BoxIo = Box<dyn Io>;

/// Room for the next bytes of a stream that is quiet, which most are for most of their life.
const READ_QUIET: usize = 512;
/// Room for them where they come in quantity.
const READ_BUSY: usize = 8 * 1024;

/// Reads packets.
pub(super) struct PacketReader<R> {
    io: R,
    buffer: BytesMut,
    /// Room for the next read.
    room: usize,
    assembler: Assembler,
}

impl<R: AsyncRead + Unpin> PacketReader<R> {
    pub(super) fn new(io: R) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
            room: READ_QUIET,
            assembler: Assembler::default(),
        }
    }

    /// The next packet, or `None` at the end of the stream. May be dropped and
    /// called again without loss.
    pub(super) async fn next(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            if let Some(packet) = self
                .assembler
                .next(&mut self.buffer)
                .map_err(Error::Protocol)?
            {
                return Ok(Some(packet));
            }
            if self.buffer.is_empty() && self.buffer.capacity() > 4 * self.room {
                // The room of a busy moment.
                self.buffer = BytesMut::new();
            }
            self.buffer.reserve(self.room);
            let read = self.io.read_buf(&mut self.buffer).await?;
            if read == 0 {
                if !self.buffer.is_empty() {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                return Ok(None);
            }
            self.room = if read >= READ_QUIET {
                READ_BUSY
            } else {
                READ_QUIET
            };
        }
    }
}

/// Writes packets of one call.
pub(super) struct PacketWriter<W> {
    io: W,
    buffer: BytesMut,
    stream: u64,
    message: u64,
}

impl<W: AsyncWrite + Unpin> PacketWriter<W> {
    pub(super) fn new(io: W, stream: u64) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
            stream,
            message: 0,
        }
    }

    /// Starts the next call on the same connection.
    pub(super) fn start(&mut self, stream: u64) {
        self.stream = stream;
        self.message = 0;
    }

    /// Queues a packet for the next flush.
    pub(super) fn queue(&mut self, kind: Kind, data: &[u8]) {
        self.message += 1;
        frame::encode(&mut self.buffer, kind, self.stream, self.message, data);
    }

    /// Queues a refusal.
    pub(super) fn queue_error(&mut self, status: &Status) {
        let mut data = status.code.to_be_bytes().to_vec();
        data.extend_from_slice(status.message.as_bytes());
        self.queue(Kind::Error, &data);
    }

    /// Writes what is queued. If dropped halfway, the rest follows with the
    /// next flush, so packets never tear.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while !self.buffer.is_empty() {
            if self.io.write_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.io.flush().await
    }
}

/// The refusal that an error packet carries.
pub(super) fn parse_error(data: &[u8]) -> Status {
    match data.split_first_chunk::<8>() {
        Some((code, text)) => Status {
            code: u64::from_be_bytes(*code),
            message: String::from_utf8_lossy(text).into_owned(),
        },
        None => Status::new("the other side refused without saying why"),
    }
}
