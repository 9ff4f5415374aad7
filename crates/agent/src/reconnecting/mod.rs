//! Terminals of the web: they live on when the browser is gone and show what
//! they showed when it comes back. Kept by identifier; several viewers may
//! share one.

mod backend;
mod kept;
mod protocol;
mod slot;
mod terminal;
mod view;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use crate::containers::{self, InsideError};
use crate::environment::CommandLine;
use crate::metrics;
use crate::sessions::Kind;
use crate::workspace::Workspace;
use backend::{Backend, Screen};
use protocol::Init;
use slot::{Session, Slot};
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
    open: Arc<Mutex<HashMap<Uuid, Arc<Slot>>>>,
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
        let shutdown = self.workspace.shutdown.clone();
        let shown = tokio::select! {
            shown = self.show(&init, &mut reader, &mut writer) => shown,
            () = shutdown.cancelled() => Ok(()),
        };
        if let Err(error) = shown {
            metrics.count(metrics::name::TERMINAL_ERRORS, &[("error_type", "attach")]);
            session.finish(1, error.to_string());
            // A viewer that is gone needs no message.
            let _ = writer.write_all(format!("{error}\r\n").as_bytes()).await;
        }
        // As above.
        let _ = writer.shutdown().await;
    }

    /// Shows a terminal, new if there is none with this identifier, until either
    /// side ends. An error means that there is none.
    async fn show(
        &self,
        init: &Init,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let slot = self.slot(init.id)?;
        let viewer = slot.enter();
        let session = match slot.session.get_or_try_init(|| self.start(init)).await {
            Ok(session) => session,
            Err(error) => {
                self.open.lock().remove(&init.id);
                return Err(error);
            }
        };
        match session {
            Session::Buffered(terminal) => {
                terminal.resize(init.size());
                view::buffered(terminal, reader, writer).await;
            }
            Session::Screen(screen) => {
                if view::screen(screen, &self.workspace, init.size(), reader, writer).await? {
                    slot.end();
                }
            }
        }
        drop(viewer);
        self.end_when_idle(init.id, &slot);
        Ok(())
    }

    /// The place of a terminal, which may be yet to start.
    fn slot(&self, id: Uuid) -> io::Result<Arc<Slot>> {
        let mut open = self.open.lock();
        open.retain(|_, slot| !slot.ended());
        if open.len() >= MAX_TERMINALS && !open.contains_key(&id) {
            return Err(io::Error::other(
                "too many terminals are open; close some first",
            ));
        }
        Ok(open.entry(id).or_default().clone())
    }

    async fn start(&self, init: &Init) -> io::Result<Session> {
        let backend = Backend::choose(&init.backend_type)?;
        let mut line = terminal::command_line(&self.workspace, &init.command)?;
        if !init.container.is_empty() {
            line = self.inside(init, line).await.map_err(io::Error::other)?;
        }
        Ok(match backend {
            Backend::Buffered => {
                Session::Buffered(Terminal::start(&self.workspace, &line, init.size())?)
            }
            Backend::Screen => {
                let data = self.workspace.config.script_data();
                Session::Screen(Screen::start(init.id, &line, &data).await?)
            }
        })
    }

    async fn inside(&self, init: &Init, line: CommandLine) -> Result<CommandLine, InsideError> {
        if !self.workspace.config.devcontainers {
            return Err(InsideError::Disabled);
        }
        let (container, user) = (&init.container, &init.container_user);
        containers::command_line(
            container,
            user,
            init.command.as_ref(),
            true,
            line.environment,
        )
        .await
    }

    /// Ends the terminal unless someone looks at it before its time is up.
    fn end_when_idle(&self, id: Uuid, slot: &Arc<Slot>) {
        let (terminals, left) = (self.clone(), slot.views());
        let slot = Arc::downgrade(slot);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            let Some(slot) = slot.upgrade() else { return };
            // Whoever came and left meanwhile has started a time of its own.
            let mut open = terminals.open.lock();
            let same = open.get(&id).is_some_and(|open| Arc::ptr_eq(open, &slot));
            if same && !slot.is_viewed() && slot.views() == left {
                open.remove(&id);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::testing;

    async fn attach(
        terminals: &Terminals,
        id: Uuid,
        command: &str,
        backend: &str,
    ) -> tokio::io::DuplexStream {
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        let terminals = terminals.clone();
        tokio::spawn(async move { terminals.serve(theirs, "::1".into()).await });
        let init = format!(
            r#"{{"ID":"{id}","Height":30,"Width":100,"Command":"{command}","BackendType":"{backend}"}}"#
        );
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
        let mut first = attach(&terminals, id, script, "buffered").await;
        read_until(&mut first, "30 100").await;
        drop(first);
        let mut second = attach(&terminals, id, "", "buffered").await;
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

    /// Needs `screen`; says so where it is not installed.
    #[tokio::test]
    async fn screen_shows_everything_again() {
        if Backend::choose("screen").is_err() {
            println!("skipped: screen is not installed");
            return;
        }
        let data = tempfile::tempdir().unwrap();
        let workspace = testing::workspace_at(data.path());
        let terminals = Terminals::new(workspace);
        let id = Uuid::from_u128(0x1234_5678 << 96);
        let script = "echo first; read line; echo got $line; read line; exit 3";
        let mut first = attach(&terminals, id, script, "").await;
        read_until(&mut first, "first").await;
        let mut second = attach(&terminals, id, "", "screen").await;
        read_until(&mut second, "first").await;
        drop(first);
        second.write_all(br#"{"data":"hello\r"}"#).await.unwrap();
        read_until(&mut second, "got hello").await;
        drop(second);
        let mut third = attach(&terminals, id, "", "").await;
        read_until(&mut third, "got hello").await;
        third.write_all(br#"{"data":"\r"}"#).await.unwrap();
        third.read_to_end(&mut Vec::new()).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_opened_says_why() {
        let terminals = Terminals::new(testing::workspace());
        let mut wrong = attach(&terminals, Uuid::from_u128(9), "", "tmux").await;
        read_until(&mut wrong, "unknown terminal backend").await;
        let (mut ours, theirs) = tokio::io::duplex(1024);
        let init = format!(r#"{{"ID":"{}","Container":"-x"}}"#, Uuid::from_u128(8));
        ours.write_all(&(init.len() as u16).to_le_bytes())
            .await
            .unwrap();
        ours.write_all(init.as_bytes()).await.unwrap();
        terminals.serve(theirs, String::new()).await;
        read_until(&mut ours, "is not the name of a container").await;
        assert!(terminals.open.lock().is_empty());
    }
}
