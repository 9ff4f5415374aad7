//! One client's connection: frames in, frames out, until it ends.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
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
/// First size of the read buffer, and that of a quiet client; it grows to the largest frame when needed.
const READ_BUFFER: usize = 4 * 1024;
/// Room for one read of a client that sends bundles.
const READ_BUNDLE: usize = 128 * 1024;
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
        last: None,
        full: None,
        gone_limit: TokenBucket::new(GONE_BURST, GONE_INTERVAL, Instant::now()),
    };
    tokio::select! {
        result = incoming.read(reader, buffer, decoder) => result,
        result = write(writer, client) => result,
    }
}

/// Leaves the directory however the connection ends.
struct Membership<'a> {
    client: Arc<Client>,
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
    /// The last destination: packets come in bundles.
    last: Option<Arc<Client>>,
    /// A destination whose queue is nearly full.
    full: Option<Arc<Client>>,
    gone_limit: TokenBucket,
}

/// Packets in a row for one destination, as places in the read buffer.
struct Run {
    destination: NodePublic,
    disco: bool,
    packets: Vec<Range<usize>>,
}

impl Incoming<'_> {
    async fn read<R: AsyncRead + Unpin>(
        mut self,
        mut reader: R,
        mut buffer: BytesMut,
        mut decoder: Decoder,
    ) -> Result<(), RelayError> {
        let mut run = Run {
            destination: NodePublic::default(),
            disco: false,
            packets: Vec::new(),
        };
        loop {
            let used = self.take(&buffer, &mut decoder, &mut run)?;
            buffer.advance(used);
            if let Some(full) = self.full.take() {
                // The sender's own connection holds it back, instead of a loss.
                full.wait_for_room().await;
            }
            // A client that sends bundles is read in bundles; a quiet one costs little.
            let room = if used >= READ_BUFFER {
                READ_BUNDLE
            } else {
                READ_BUFFER
            };
            if buffer.is_empty() && buffer.capacity() > room {
                buffer = BytesMut::with_capacity(room);
            }
            buffer.reserve(room);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Takes all whole frames; gives their bytes.
    fn take(
        &mut self,
        buffer: &[u8],
        decoder: &mut Decoder,
        run: &mut Run,
    ) -> Result<usize, RelayError> {
        let mut used = 0;
        loop {
            let step = decoder.step(&buffer[used..])?;
            if step.consumed == 0 {
                break;
            }
            used += step.consumed;
            if let Some(Frame::SendPacket {
                destination,
                packet,
            }) = step.frame
            {
                let disco = is_disco(packet);
                if destination != run.destination || disco != run.disco {
                    self.forward(buffer, run);
                    (run.destination, run.disco) = (destination, disco);
                }
                // A packet is the end of its frame.
                run.packets.push(used - packet.len()..used);
            } else if let Some(frame) = &step.frame {
                // In the order in which they came.
                self.forward(buffer, run);
                self.handle(frame)?;
            }
        }
        self.forward(buffer, run);
        Ok(used)
    }

    fn handle(&mut self, frame: &Frame<'_>) -> Result<(), RelayError> {
        match frame {
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

    /// The connection of a destination; `None` if it is not here.
    fn target(&mut self, destination: &NodePublic) -> Option<Arc<Client>> {
        if let Some(last) = &self.last
            && last.key == *destination
            && last.is_active()
        {
            return Some(Arc::clone(last));
        }
        let target = self.shared.directory.find(destination)?;
        // A destination that came again is another connection, and does not know us.
        if self.known.get(destination) != Some(&target.id) {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known.insert(*destination, target.id);
            target.add_sender(self.client.key);
        }
        self.last = Some(Arc::clone(&target));
        Some(target)
    }

    /// Queues the packets of `run`, and empties it.
    fn forward(&mut self, buffer: &[u8], run: &mut Run) {
        if run.packets.is_empty() {
            return;
        }
        self.shared.directory.touch(self.client);
        if let Some(target) = self.target(&run.destination) {
            let packets = run.packets.iter();
            let packets = packets.filter_map(|place| buffer.get(place.clone()));
            if target.push_packets(self.client.key, run.disco, packets) {
                self.full = Some(target);
            }
        } else if run.disco {
            for _ in &run.packets {
                if !self.gone_limit.take(Instant::now()) {
                    break;
                }
                let mut frame = Vec::new();
                derp::peer_gone(&mut frame, &run.destination, GoneReason::NotHere);
                self.client.push_control(frame);
            }
        }
        run.packets.clear();
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
