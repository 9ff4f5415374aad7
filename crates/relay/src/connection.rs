//! One client's connection: frames in, frames out, until it ends.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rand::Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tunnel_proto::derp::{self, Decoder, Frame, GoneReason};
use tunnel_proto::disco::is_disco;
use tunnel_proto::key::NodePublic;

use crate::directory::Client;
use crate::limit::TokenBucket;
use crate::login::greet;
use crate::{RelayError, Shared};

/// Time between keepalives; clients give up after 120 s of silence.
const KEEP_ALIVE: Duration = Duration::from_mins(1);
/// Random addition to it, so that clients that came together do not wake together.
const KEEP_ALIVE_JITTER_MS: u64 = 5000;
/// How long one write may take before the client counts as stuck. Longer than the original's two
/// seconds: a full socket on a slow line is no sign of death.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes written at once.
const BATCH: usize = 64 * 1024;
/// First size of the read buffer; it grows to the largest frame when needed.
const READ_BUFFER: usize = 16 * 1024;
/// "Not here" answers at once, and time until one more: they only help path discovery.
const GONE_BURST: u32 = 3;
const GONE_INTERVAL: Duration = Duration::from_secs(1);
/// Destinations remembered per connection, to register as their sender once.
const MAX_KNOWN: usize = 4096;

/// Serves a connection from greeting to end.
pub(crate) async fn run<IO>(io: IO, shared: &Shared) -> Result<(), RelayError>
where
    IO: AsyncRead + AsyncWrite + Send,
{
    let (mut reader, mut writer) = tokio::io::split(io);
    let mut buffer = BytesMut::with_capacity(READ_BUFFER);
    let mut decoder = Decoder::default();
    let key = greet(&mut reader, &mut writer, &mut buffer, &mut decoder, shared).await?;
    let membership = Membership {
        client: shared.directory.join(key),
        shared,
    };
    tracing::debug!(client = ?key, "relay client connected");
    let client = &*membership.client;
    let incoming = Incoming {
        client,
        shared,
        known: HashMap::new(),
        gone_limit: TokenBucket::new(GONE_BURST, GONE_INTERVAL, Instant::now()),
    };
    tokio::select! {
        result = incoming.read(reader, buffer, decoder) => result,
        result = write(writer, client) => result,
    }
}

/// Leaves the directory however the connection ends.
struct Membership<'a> {
    client: std::sync::Arc<Client>,
    shared: &'a Shared,
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.shared.directory.leave(&self.client);
        tracing::debug!(client = ?self.client.key, "relay client left");
    }
}

/// The receiving side.
struct Incoming<'a> {
    client: &'a Client,
    shared: &'a Shared,
    /// Destinations, by connection, that know us as a sender.
    known: HashMap<NodePublic, u64>,
    gone_limit: TokenBucket,
}

impl Incoming<'_> {
    async fn read<R: AsyncRead + Unpin>(
        mut self,
        mut reader: R,
        mut buffer: BytesMut,
        mut decoder: Decoder,
    ) -> Result<(), RelayError> {
        loop {
            loop {
                let step = decoder.step(&buffer)?;
                let consumed = step.consumed;
                if let Some(frame) = &step.frame {
                    self.handle(frame)?;
                }
                if consumed == 0 {
                    break;
                }
                buffer.advance(consumed);
            }
            buffer.reserve(READ_BUFFER);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    fn handle(&mut self, frame: &Frame<'_>) -> Result<(), RelayError> {
        match frame {
            Frame::SendPacket {
                destination,
                packet,
            } => self.forward(*destination, packet),
            Frame::Ping(data) => {
                let mut pong = Vec::new();
                derp::pong(&mut pong, *data);
                self.client.push_control(pong);
            }
            Frame::WatchConns | Frame::ClosePeer(_) | Frame::ForwardPacket { .. } => {
                return Err(RelayError::Privilege);
            }
            // Of no use to a relay of a single server, or only ever sent by one.
            _ => {}
        }
        Ok(())
    }

    fn forward(&mut self, destination: NodePublic, packet: &[u8]) {
        let directory = &self.shared.directory;
        directory.touch(self.client);
        let source = self.client.key;
        let disco = is_disco(packet);
        let Some(target) = directory.find(&destination) else {
            if disco && self.gone_limit.take(Instant::now()) {
                let mut frame = Vec::new();
                derp::peer_gone(&mut frame, &destination, GoneReason::NotHere);
                self.client.push_control(frame);
            }
            return;
        };
        // A destination that came again is another connection, and does not know us.
        if self.known.get(&destination) != Some(&target.id) {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known.insert(destination, target.id);
            target.add_sender(source);
        }
        let mut frame =
            Vec::with_capacity(derp::HEADER_LEN + source.as_bytes().len() + packet.len());
        derp::recv_packet(&mut frame, &source, packet);
        target.push_packet(source, disco, frame);
    }
}

async fn write<W: AsyncWrite + Unpin>(mut writer: W, client: &Client) -> Result<(), RelayError> {
    let mut batch = Vec::new();
    loop {
        client.take(&mut batch, BATCH);
        if batch.is_empty() {
            let jitter = Duration::from_millis(rand::rng().random_range(0..KEEP_ALIVE_JITTER_MS));
            if timeout(KEEP_ALIVE + jitter, client.ring.notified())
                .await
                .is_ok()
            {
                continue;
            }
            derp::keep_alive(&mut batch);
        }
        let written = async {
            writer.write_all(&batch).await?;
            writer.flush().await
        };
        timeout(WRITE_TIMEOUT, written)
            .await
            .map_err(|_| RelayError::Stuck)??;
        batch.clear();
        // A quiet client need not keep the room of a busy moment.
        batch.shrink_to(READ_BUFFER);
    }
}
