//! What the person types and how large their window is, to the remote.

use std::io;

use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::commands::ssh::input::Input;
use crate::ui::terminal;

/// Bytes read at once; also the largest packet.
const PIECE: usize = 32 << 10;

/// Sends input until dropped.
pub struct Feed {
    task: JoinHandle<()>,
}

impl Feed {
    /// Begins to read standard input. With a terminal, changes of its size are
    /// sent as well.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(channel: ChannelWriteHalf<Msg>, with_pty: bool) -> io::Result<Self> {
        let input = Input::new(PIECE)?;
        Ok(Self {
            task: tokio::spawn(feed(input, channel, with_pty)),
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn feed(mut input: Input, channel: ChannelWriteHalf<Msg>, with_pty: bool) {
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
            piece = input.next(), if open => match piece {
                None => {
                    open = false;
                    // The remote may be gone: then its end is noticed elsewhere.
                    let _ = channel.eof().await;
                }
                Some(piece) => {
                    if channel.data_bytes(piece).await.is_err() {
                        return;
                    }
                    // The task that sends it comes first: looking whether there is more can wait.
                    tokio::task::yield_now().await;
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
