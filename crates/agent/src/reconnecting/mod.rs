//! Terminals of the web: they live on when the browser is gone and show what
//! they showed when it comes back. Kept by identifier; several viewers may
//! share one.

mod protocol;
mod screen;
mod terminal;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use crate::metrics;
use crate::sessions::Kind;
use crate::workspace::Workspace;
use protocol::{Init, Input};
use terminal::Terminal;

/// A terminal that nobody looks at ends after this.
const IDLE: Duration = Duration::from_mins(5);
/// How long a viewer may take to say what it wants.
const ATTACH: Duration = Duration::from_secs(30);
/// Terminals at a time.
const MAX_TERMINALS: usize = 128;

/// Every terminal of the workspace.
#[derive(Clone)]
pub struct Terminals {
    workspace: Arc<Workspace>,
    open: Arc<Mutex<HashMap<Uuid, Arc<Terminal>>>>,
}

impl Terminals {
    /// No terminals yet.
    pub fn new(workspace: Arc<Workspace>) -> Self {
        Self {
            workspace,
            open: Arc::default(),
        }
    }

    /// Serves one viewer.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, ip: String) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let init = match tokio::time::timeout(ATTACH, protocol::read_init(&mut reader)).await {
            Ok(Ok(init)) => init,
            Ok(Err(error)) => return tracing::debug!(%error, "a terminal's viewer made no sense"),
            Err(_) => return tracing::debug!("a terminal's viewer did not say what it wants"),
        };
        let mut session = self
            .workspace
            .sessions
            .begin(Some(Kind::ReconnectingPty), ip);
        let metrics = &self.workspace.metrics;
        metrics.count(metrics::name::TERMINALS, &[]);
        match self.attach(&init) {
            Ok(terminal) => {
                let shutdown = self.workspace.shutdown.clone();
                tokio::select! {
                    () = view(&terminal, &mut reader, &mut writer) => {}
                    () = shutdown.cancelled() => {}
                }
                self.end_when_idle(init.id, &terminal);
            }
            Err(error) => {
                metrics.count(metrics::name::TERMINAL_ERRORS, &[("error_type", "attach")]);
                session.finish(1, error.to_string());
                // A viewer that is gone needs no message.
                let _ = writer.write_all(format!("{error}\r\n").as_bytes()).await;
            }
        }
        // As above.
        let _ = writer.shutdown().await;
    }

    /// The terminal with this identifier, new if there is none.
    fn attach(&self, init: &Init) -> std::io::Result<Arc<Terminal>> {
        let mut open = self.open.lock();
        open.retain(|_, terminal| !terminal.screen.ended());
        if let Some(terminal) = open.get(&init.id) {
            terminal.resize(init.size());
            return Ok(terminal.clone());
        }
        if init.container.as_deref().is_some_and(|c| !c.is_empty()) {
            return Err(std::io::Error::other(
                "terminals inside containers are not available in this workspace",
            ));
        }
        if open.len() >= MAX_TERMINALS {
            return Err(std::io::Error::other(
                "too many terminals are open; close some first",
            ));
        }
        let terminal = Arc::new(Terminal::start(
            &self.workspace,
            &init.command,
            init.size(),
        )?);
        open.insert(init.id, terminal.clone());
        Ok(terminal)
    }

    /// Ends the terminal unless someone looks at it before its time is up.
    fn end_when_idle(&self, id: Uuid, terminal: &Arc<Terminal>) {
        let (terminals, terminal) = (self.clone(), Arc::downgrade(terminal));
        tokio::spawn(async move {
            let left = match terminal.upgrade() {
                Some(terminal) => terminal.screen.views(),
                None => return,
            };
            tokio::time::sleep(IDLE).await;
            let Some(terminal) = terminal.upgrade() else {
                return;
            };
            // Whoever came and left meanwhile has started a time of its own.
            if !terminal.screen.is_viewed() && terminal.screen.views() == left {
                terminals.open.lock().remove(&id);
            }
        });
    }
}

/// Shows the terminal and passes on what is typed, until either side ends.
async fn view(
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
    let mut inputs = protocol::Inputs::new(reader);
    let typed = async {
        while let Some(Input {
            data,
            height,
            width,
        }) = inputs.next().await
        {
            if height > 0 && width > 0 {
                terminal.resize(crate::pty::Size::new(width, height));
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::testing;

    async fn attach(terminals: &Terminals, id: Uuid, command: &str) -> tokio::io::DuplexStream {
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        let terminals = terminals.clone();
        tokio::spawn(async move { terminals.serve(theirs, "::1".into()).await });
        let init = format!(r#"{{"ID":"{id}","Height":30,"Width":100,"Command":"{command}"}}"#);
        ours.write_all(&(init.len() as u16).to_le_bytes())
            .await
            .unwrap();
        ours.write_all(init.as_bytes()).await.unwrap();
        ours
    }

    async fn read_until(stream: &mut tokio::io::DuplexStream, text: &str) -> String {
        let mut all = Vec::new();
        let mut buffer = [0; 1024];
        while !String::from_utf8_lossy(&all).contains(text) {
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(
                n > 0,
                "ended before {text:?}: {:?}",
                String::from_utf8_lossy(&all)
            );
            all.extend_from_slice(&buffer[..n]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    #[tokio::test]
    async fn a_terminal_survives_its_viewer() {
        let terminals = Terminals::new(testing::workspace());
        let id = Uuid::from_u128(7);
        let script = "stty size; read line; echo got $line; read line";
        let mut first = attach(&terminals, id, script).await;
        read_until(&mut first, "30 100").await;
        drop(first);
        let mut second = attach(&terminals, id, "").await;
        read_until(&mut second, "30 100").await;
        for part in [
            &br#"{"data":"he"}{"da"#[..],
            br#"ta":"llo\r","height":40,"width":90}"#,
        ] {
            second.write_all(part).await.unwrap();
        }
        read_until(&mut second, "got hello").await;
        second.write_all(br#"{"data":"\r"}"#).await.unwrap();
        let mut rest = Vec::new();
        second.read_to_end(&mut rest).await.unwrap();
        assert_eq!(terminals.workspace.sessions.count(Kind::ReconnectingPty), 0);
    }

    #[tokio::test]
    async fn nonsense_is_hung_up_on() {
        let terminals = Terminals::new(testing::workspace());
        for bytes in [&b"\xff\xff"[..], b"\x02\x00{}", b"\x03\x00abc", b""] {
            let (mut ours, theirs) = tokio::io::duplex(1024);
            ours.write_all(bytes).await.unwrap();
            ours.shutdown().await.unwrap();
            terminals.serve(theirs, String::new()).await;
        }
        assert!(terminals.open.lock().is_empty());
    }
}
