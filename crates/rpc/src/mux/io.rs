//! The task of a session: bytes between the connection and [`super::state`].

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf,
};

use super::MuxError;
use super::frame::{HEADER_LEN, Header, Kind};
use super::session::{Config, Shared};
use super::state::WINDOW;

/// How long the last bytes of a closing session may take to be written.
const LINGER: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs a session until it ends.
pub(super) async fn run<IO>(io: IO, shared: Arc<Shared>, config: Config)
where
    IO: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader, mut writer) = tokio::io::split(io);
    let reason = tokio::select! {
        reason = read(reader, &shared) => reason,
        reason = write(&mut writer, &shared) => reason,
        reason = keep_alive(&shared, &config) => reason,
    };
    tracing::debug!(%reason, "multiplexed connection ended");
    let last = {
        let mut state = shared.state.lock();
        state.close(reason);
        state.take_out()
    };
    shared.done.notify_waiters();
    let farewell = async {
        writer.write_all(&last).await?;
        writer.shutdown().await
    };
    // The connection is over either way; a farewell that fails changes nothing.
    let _ = tokio::time::timeout(LINGER, farewell).await;
}

/// What is read at once, held for as long as the connection lives. Larger frames are read past it.
const READ: usize = 1024;

async fn read<IO: AsyncRead>(io: ReadHalf<IO>, shared: &Shared) -> MuxError {
    let mut io = BufReader::with_capacity(READ, io);
    loop {
        match read_frame(&mut io).await {
            Ok(Some((header, data))) => {
                let mut state = shared.state.lock();
                if let Err(reason) = state.receive(header, data) {
                    return reason;
                }
            }
            Ok(None) => return MuxError::Closed,
            Err(reason) => return reason,
        }
    }
}

async fn read_frame<IO: AsyncRead + Unpin>(
    io: &mut IO,
) -> Result<Option<(Header, Bytes)>, MuxError> {
    let mut bytes = [0; HEADER_LEN];
    match io.read_exact(&mut bytes).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(MuxError::Io(Arc::new(error))),
    }
    let header = Header::decode(bytes).map_err(MuxError::Protocol)?;
    if header.kind != Kind::Data || header.length == 0 {
        return Ok(Some((header, Bytes::new())));
    }
    if header.length > WINDOW {
        return Err(MuxError::Protocol(format!(
            "a frame of {} bytes is larger than any window",
            header.length
        )));
    }
    let mut data = BytesMut::zeroed(header.length as usize);
    io.read_exact(&mut data)
        .await
        .map_err(|error| MuxError::Io(Arc::new(error)))?;
    Ok(Some((header, data.freeze())))
}

async fn write<IO: AsyncWrite>(io: &mut WriteHalf<IO>, shared: &Shared) -> MuxError {
    loop {
        let next = poll_fn(|cx| {
            let mut state = shared.state.lock();
            if let Some(reason) = &state.closed {
                return Poll::Ready(Err(reason.clone()));
            }
            if state.out.is_empty() {
                state.flusher = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(state.take_out()))
        })
        .await;
        let bytes = match next {
            Ok(bytes) => bytes,
            Err(reason) => return reason,
        };
        let written = async {
            io.write_all(&bytes).await?;
            io.flush().await
        };
        if let Err(error) = written.await {
            return MuxError::Io(Arc::new(error));
        }
    }
}

async fn keep_alive(shared: &Shared, config: &Config) -> MuxError {
    let Some(interval) = config.keepalive else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(interval).await;
        let answer = match shared.state.lock().ping() {
            Ok(answer) => answer,
            Err(reason) => return reason,
        };
        match tokio::time::timeout(config.ping_timeout, answer).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return MuxError::Closed,
            Err(_) => return MuxError::Timeout,
        }
    }
}
