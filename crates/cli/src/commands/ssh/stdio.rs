//! `--stdio`: raw bytes between standard input and output and the agent.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tunnel::TcpStream;

/// Large enough for bulk transfers, small beside a tunnel's own buffers.
const BUFFER: usize = 64 << 10;

/// Copies both ways until the agent's side ends. The end of standard input is
/// passed on, and does not end the connection: answers may still come.
pub async fn run(stream: TcpStream) -> Result<()> {
    let (mut from_agent, mut to_agent) = tokio::io::split(stream);
    let upload = async {
        let mut input = tokio::io::stdin();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = input.read(&mut buffer).await?;
            if read == 0 {
                return to_agent.shutdown().await;
            }
            to_agent.write_all(&buffer[..read]).await?;
        }
    };
    let download = async {
        let mut output = tokio::io::stdout();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = from_agent.read(&mut buffer).await?;
            if read == 0 {
                return std::io::Result::Ok(());
            }
            output.write_all(&buffer[..read]).await?;
            output.flush().await?;
        }
    };
    tokio::pin!(upload, download);
    tokio::select! {
        done = &mut download => done.context("the connection to the workspace broke"),
        sent = &mut upload => match sent {
            // What failed to go out shows on the way in, or does not matter.
            Ok(()) | Err(_) => download.await.context("the connection to the workspace broke"),
        },
    }
}
