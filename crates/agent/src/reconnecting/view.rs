//! One viewer: what is shown goes there, what is typed comes back.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::backend::Screen;
use super::protocol::{Input, Inputs};
use super::terminal::Terminal;
use crate::pty::{Pty, Size};
use crate::workspace::Workspace;

/// Bytes that are shown at once.
const CHUNK: usize = 16 * 1024;

/// Shows a terminal whose output is kept, until either side ends.
pub async fn buffered(
    terminal: &Terminal,
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) {
    let mut viewer = terminal.screen.view();
    let show = async {
        while let Some(bytes) = viewer.next().await {
            if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
    };
    let mut inputs = Inputs::new(reader);
    let typed = async {
        while let Some(Input {
            data,
            height,
            width,
        }) = inputs.next().await
        {
            if height > 0 && width > 0 {
                terminal.resize(Size::new(width, height));
            }
            if !data.is_empty() && terminal.write(data.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = show => {}
        () = typed => {}
    }
}

/// Shows a session of screen on a terminal of the viewer's own, until either side
/// ends; answers whether it was the session.
pub async fn screen(
    screen: &Screen,
    workspace: &Workspace,
    size: Size,
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<bool> {
    let (mut child, controller) = Pty::open(size)?.spawn(screen.attach().command())?;
    let group = workspace.groups.add(&child);
    // Outlives this viewer by the time that screen takes to notice.
    tokio::spawn(async move {
        // There is nobody to tell how it went.
        let _ = child.wait().await;
        drop(group);
    });
    let (mut from, mut to) = (controller.clone(), controller.clone());
    let show = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if writer.write_all(&buffer[..n]).await.is_err() || writer.flush().await.is_err() {
                return false;
            }
        }
        true
    };
    let mut inputs = Inputs::new(reader);
    let typed = async {
        while let Some(Input {
            data,
            height,
            width,
        }) = inputs.next().await
        {
            if height > 0 && width > 0 {
                controller.resize(Size::new(width, height));
            }
            if !data.is_empty() && to.write_all(data.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        ended = show => Ok(ended),
        () = typed => Ok(false),
    }
}
