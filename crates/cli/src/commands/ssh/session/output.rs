//! What the remote prints, to this program's own streams.

use anyhow::Result;
use tokio::io::{AsyncWrite, AsyncWriteExt, Stderr, Stdout};

use crate::failure::Exit;

/// Standard output and standard error.
pub struct Output {
    stdout: Stdout,
    stderr: Stderr,
}

impl Output {
    /// This program's streams.
    pub fn new() -> Self {
        Self {
            stdout: tokio::io::stdout(),
            stderr: tokio::io::stderr(),
        }
    }

    /// Prints to standard output.
    pub async fn stdout(&mut self, data: &[u8]) -> Result<()> {
        write(&mut self.stdout, data).await
    }

    /// Prints to standard error.
    pub async fn stderr(&mut self, data: &[u8]) -> Result<()> {
        write(&mut self.stderr, data).await
    }

    /// Waits until everything is printed.
    pub async fn flush(&mut self) -> Result<()> {
        write(&mut self.stdout, &[]).await?;
        write(&mut self.stderr, &[]).await
    }
}

/// A reader that has gone away (`| head`) ends the session like a local
/// command: quietly.
async fn write(to: &mut (impl AsyncWrite + Unpin), data: &[u8]) -> Result<()> {
    let written = async {
        to.write_all(data).await?;
        to.flush().await
    };
    match written.await {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit(1).into()),
        result => Ok(result?),
    }
}
