//! The `sftp` subsystem: SSH file transfer, version 3
//! (draft-ietf-secsh-filexfer-02), as every client speaks it.

mod attributes;
mod files;
mod request;
mod server;

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::channel::Channel;
use super::session::Ended;
use server::Server;

/// Longest packet of a client; the largest write with room for its head.
const MAX_PACKET: usize = 256 * 1024 + 1024;

/// Serves one client, whose relative paths start at `directory`, until it hangs up.
pub async fn run(channel: Channel, directory: PathBuf) -> Ended {
    let Channel {
        mut reader,
        handle,
        mut requests,
    } = channel;
    let answering = handle.clone();
    let _answering = AbortOnDropHandle::new(tokio::spawn(async move {
        answering.refuse_all(&mut requests).await;
    }));
    let mut writer = handle.writer();
    let runtime = Handle::current();
    // File systems block; a thread of its own keeps everything else moving.
    let served = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        let mut server = Server::new(directory);
        let mut packet = Vec::new();
        loop {
            let length = match runtime.block_on(reader.read_u32()) {
                Ok(length) => length as usize,
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            };
            if length > MAX_PACKET {
                return Err(std::io::Error::other(format!(
                    "an SFTP packet of {length} bytes is too large"
                )));
            }
            packet.resize(length, 0);
            runtime.block_on(reader.read_exact(&mut packet))?;
            let answer = server.handle(&packet);
            runtime.block_on(async {
                writer
                    .write_all(&(answer.len() as u32).to_be_bytes())
                    .await?;
                writer.write_all(&answer).await
            })?;
            packet.shrink_to(64 * 1024);
        }
    });
    match served.await {
        Ok(Ok(())) => Ended::code(0),
        Ok(Err(error)) => Ended {
            reason: error.to_string(),
            ..Ended::code(1)
        },
        Err(_) => Ended {
            reason: "the file server failed".into(),
            ..Ended::code(1)
        },
    }
}
