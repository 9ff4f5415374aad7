//! `--stdio`: raw bytes between standard input and output and the agent.

use anyhow::{Context, Result};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::task::AbortOnDropHandle;
use tunnel::TcpStream;

use super::input::Input;
use super::output::Output;

/// Large enough for bulk transfers, small beside a tunnel's own buffers.
const PIECE: usize = 64 << 10;
/// A new buffer is taken once less than this is left of the old one.
const LEAST: usize = 4 << 10;

/// Copies both ways until the agent's side ends. The end of standard input is
/// passed on, and does not end the connection: answers may still come.
pub async fn run(stream: TcpStream) -> Result<()> {
    // As a task: the future that the program's thread blocks on is woken by way of the system, which
    // every key would wait for.
    let copying = AbortOnDropHandle::new(tokio::spawn(copy(stream)));
    copying.await.context("the copying broke off")?
}

async fn copy(stream: TcpStream) -> Result<()> {
    let (mut from_agent, mut to_agent) = tokio::io::split(stream);
    let mut input = Input::new(PIECE)?;
    let upload = async {
        while let Some(piece) = input.next().await {
            to_agent.write_all(&piece).await?;
        }
        to_agent.shutdown().await
    };
    let mut output = Output::new()?;
    let download = async {
        let mut buffer = BytesMut::new();
        loop {
            if buffer.capacity() < LEAST {
                buffer = BytesMut::with_capacity(PIECE);
            }
            let read = tokio::select! {
                read = from_agent.read_buf(&mut buffer) => read,
                failure = output.failed() => return Err(failure),
            };
            if read.context("the connection to the workspace broke")? == 0 {
                return output.finish().await;
            }
            output.stdout(buffer.split().freeze()).await;
        }
    };
    tokio::pin!(upload, download);
    tokio::select! {
        done = &mut download => done,
        // What failed to go out shows on the way in, or does not matter.
        _ = &mut upload => download.await,
    }
}
