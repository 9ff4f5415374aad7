//! The tasks of one region's relay connection: reconnect, read, write.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tunnel_proto::derp::{self, Decoder};

use super::dial;
use crate::shared::Shared;

/// First wait after a failure; doubled up to [`MAX_BACKOFF`].
const MIN_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait between attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// A connection that held so long was good: the next failure begins with the shortest wait.
const GOOD_CONNECTION: Duration = Duration::from_secs(30);
/// Servers send something at least every 65 s.
const READ_TIMEOUT: Duration = Duration::from_mins(2);
/// After a change of the network, the relay has so long to answer a ping.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a region that is not the home is checked for being idle.
const IDLE_CHECK: Duration = Duration::from_secs(15);
/// Most bytes taken in one read: a bundle of packets.
const READ_CHUNK: usize = 64 << 10;
/// Write buffers above this are given back when there is nothing to write.
const KEEP_BUFFER: usize = 32 << 10;

/// Keeps the connection to `region` until the tunnel ends or the region is idle.
pub(crate) async fn run_link(shared: Arc<Shared>, region: u16) {
    let cancel = shared.cancel.clone();
    tokio::select! {
        () = cancel.cancelled() => {}
        () = keep_connected(&shared, region) => {}
    }
}

async fn keep_connected(shared: &Arc<Shared>, region: u16) {
    let mut backoff = MIN_BACKOFF;
    loop {
        let begun = Instant::now();
        match connect_and_run(shared, region).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(region, %error, "relay connection ended"),
        }
        shared.turn(|engine, _| engine.link_broken(region));
        if begun.elapsed() >= GOOD_CONNECTION {
            backoff = MIN_BACKOFF;
        }
        // Up to half more, so that a restarted relay is not met by everybody at once.
        tokio::time::sleep(backoff + backoff.mul_f64(rand::random_range(0.0..0.5))).await;
        backoff = (backoff * 2).min(MAX_BACKOFF);
        if !shared.is_home(region) && shared.turn(|engine, now| engine.leave_if_idle(region, now)) {
            return;
        }
    }
}

/// Ends with `Ok` when the region was left because it is idle.
async fn connect_and_run(shared: &Arc<Shared>, region: u16) -> io::Result<()> {
    let description = shared.derp_map.borrow().regions.get(&region).cloned();
    let Some(description) = description else {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the region is not in the relay map",
        ));
    };
    let connection = dial::connect(&shared.relays, &description).await?;
    tracing::debug!(region, "connected to relay");
    let _connected = Connected::note(shared, region);
    let stop = CancellationToken::new();
    let _stop_writer = stop.clone().drop_guard();
    let mut writer = tokio::spawn(write(shared.clone(), region, connection.writer, stop));
    let mut idle = tokio::time::interval(IDLE_CHECK);
    let alive = Notify::new();
    let reader = read(
        shared,
        region,
        connection.reader,
        connection.received,
        &alive,
    );
    tokio::pin!(reader);
    let check = check_when_asked(shared, region, &alive);
    tokio::pin!(check);
    loop {
        tokio::select! {
            result = &mut reader => return result,
            error = &mut check => return Err(error),
            result = &mut writer => return result.unwrap_or_else(|panic| Err(io::Error::other(panic))),
            _ = idle.tick() => {
                if !shared.is_home(region) && shared.turn(|engine, now| engine.leave_if_idle(region, now)) {
                    return Ok(());
                }
            }
        }
    }
}

/// Waits until the network changed and the relay then did not answer in time.
async fn check_when_asked(shared: &Arc<Shared>, region: u16, alive: &Notify) -> io::Error {
    loop {
        shared.check_relays.notified().await;
        // Anything that is received from now on is a sign of life.
        let heard = alive.notified();
        tokio::pin!(heard);
        heard.as_mut().enable();
        shared.ping_relay(region);
        if tokio::time::timeout(CHECK_TIMEOUT, heard).await.is_err() {
            let text = "the network changed, and the relay does not answer any more";
            return io::Error::new(io::ErrorKind::TimedOut, text);
        }
    }
}

/// Notes for as long as it lives that a region's relay is connected.
struct Connected<'a>(&'a Shared, u16);

impl<'a> Connected<'a> {
    fn note(shared: &'a Shared, region: u16) -> Self {
        shared
            .connected
            .send_if_modified(|regions| regions.insert(region));
        Self(shared, region)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0
            .connected
            .send_if_modified(|regions| regions.remove(&self.1));
    }
}

/// Reads bundles of frames into the engine.
async fn read(
    shared: &Arc<Shared>,
    region: u16,
    mut io: impl AsyncRead + Unpin,
    received: Vec<u8>,
    alive: &Notify,
) -> io::Result<()> {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; Decoder::BUFFER_LEN + READ_CHUNK];
    let mut filled = received.len().min(buffer.len());
    buffer[..filled].copy_from_slice(&received[..filled]);
    drop(received);
    loop {
        let used = shared
            .turn(|engine, now| engine.receive_frames(region, &mut decoder, &buffer[..filled], now))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        buffer.copy_within(used..filled, 0);
        filled -= used;
        let room = &mut buffer[filled..];
        let read = tokio::time::timeout(READ_TIMEOUT, io.read(room)).await??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        alive.notify_waiters();
    }
}

/// Writes what the engine queues.
async fn write(
    shared: Arc<Shared>,
    region: u16,
    mut io: impl AsyncWrite + Unpin,
    stop: CancellationToken,
) -> io::Result<()> {
    let wake = shared.turn(|engine, now| engine.link(region, now).wake.clone());
    let mut buffer = Vec::new();
    derp::note_preferred(&mut buffer, shared.is_home(region));
    loop {
        io.write_all(&buffer).await?;
        buffer.clear();
        shared.turn(|engine, _| engine.take_frames(region, &mut buffer));
        if !buffer.is_empty() {
            continue;
        }
        if buffer.capacity() > KEEP_BUFFER {
            buffer = Vec::new();
        }
        io.flush().await?;
        tokio::select! {
            () = wake.notified() => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}
