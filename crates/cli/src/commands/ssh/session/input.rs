//! What the person types and how large their window is, to the remote.

use bytes::Bytes;
use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::ui::terminal;

/// Bytes read at once; also the largest packet.
const BUFFER: usize = 32 << 10;

/// Sends input until dropped.
pub struct Feed {
    task: JoinHandle<()>,
}

impl Feed {
    /// Begins to read standard input. With a terminal, changes of its size are
    /// sent as well.
    pub fn start(channel: ChannelWriteHalf<Msg>, with_pty: bool) -> Self {
        Self {
            task: tokio::spawn(feed(channel, with_pty)),
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn feed(channel: ChannelWriteHalf<Msg>, with_pty: bool) {
    let mut input = tokio::io::stdin();
    let mut buffer = vec![0; BUFFER];
    let mut open = true;
    let mut resizes = with_pty
        .then(|| signal(SignalKind::window_change()).ok())
        .flatten();
    loop {
        let resized = async {
            match &mut resizes {
                Some(signals) => signals.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = input.read(&mut buffer), if open => match read {
                Ok(0) | Err(_) => {
                    open = false;
                    // The remote may be gone: then its end is noticed elsewhere.
                    let _ = channel.eof().await;
                }
                Ok(n) => {
                    if channel.data_bytes(Bytes::copy_from_slice(&buffer[..n])).await.is_err() {
                        return;
                    }
                }
            },
            _ = resized => {
                if let Some((columns, rows)) = terminal::size() {
                    let _ = channel.window_change(columns.into(), rows.into(), 0, 0).await;
                }
            }
            else => return,
        }
    }
}
