//! The desktop of the workspace: one screen, made when it is first asked for, that people watch (by
//! the remote framebuffer protocol) and AI agents act on. It knows nothing of HTTP.

mod act;
mod keys;
mod picture;
mod program;
mod recording;
mod rfb;

pub(crate) use recording::{Recorded, RecordingError};

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex as Plain;
use tokio::sync::Mutex;

use crate::workspace::{NotReady, Workspace};
use program::Running;
use rfb::Rfb;

/// Why something could not be done on the desktop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DesktopError {
    /// Nothing here makes a screen.
    #[error(
        "This workspace has no virtual desktop: neither portabledesktop nor a VNC server (Xtigervnc or \
         Xvnc) is in its PATH. Install one, for example the package tigervnc-standalone-server."
    )]
    Absent,
    /// It needs the environment of the workspace.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// No screen came to be.
    #[error("the desktop did not start: {0}")]
    Start(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The screen failed in the middle.
    #[error("the desktop failed: {0}")]
    Io(#[from] io::Error),
}

/// The screen and the one session in which is acted on it: buttons and keys stay held between
/// requests.
#[derive(Default)]
struct Screen {
    running: Option<Running>,
    session: Option<Rfb>,
}

/// The desktop of a workspace.
pub(crate) struct Desktop {
    workspace: Arc<Workspace>,
    screen: Mutex<Screen>,
    variables: Plain<Vec<(&'static str, OsString)>>,
    recordings: recording::Recordings,
}

impl std::fmt::Debug for Desktop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desktop").finish_non_exhaustive()
    }
}

impl Desktop {
    /// None yet.
    pub(crate) fn new(workspace: Arc<Workspace>) -> Arc<Self> {
        let desktop = Arc::new(Self {
            screen: Mutex::default(),
            variables: Plain::default(),
            recordings: recording::Recordings::default(),
            workspace,
        });
        let (weak, shutdown) = (Arc::downgrade(&desktop), desktop.workspace.shutdown.clone());
        // There may be no runtime where only a description of the API is wanted.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                shutdown.cancelled().await;
                if let Some(desktop) = weak.upgrade() {
                    desktop.close().await;
                }
            });
        }
        desktop
    }

    /// What programs need to show themselves on the screen, while there is one.
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        self.variables.lock().clone()
    }

    /// Another connection to the screen, which is started if there is none.
    pub(crate) async fn connect(&self) -> Result<Box<dyn rfb::Io>, DesktopError> {
        let mut screen = self.screen.lock().await;
        let running = self.start(&mut screen).await?;
        Ok(running.connect().await?)
    }

    /// The screen's program, started if it does not run.
    async fn start<'a>(&self, screen: &'a mut Screen) -> Result<&'a mut Running, DesktopError> {
        if !screen.running.as_mut().is_some_and(Running::is_alive) {
            screen.session = None;
            screen.running = None;
            self.variables.lock().clear();
            let running = Running::start(&self.workspace).await?;
            self.variables.lock().clone_from(&running.variables);
            screen.running = Some(running);
        }
        screen.running.as_mut().ok_or(DesktopError::Absent)
    }

    /// The session in which is acted, opened if there is none.
    async fn session<'a>(&self, screen: &'a mut Screen) -> Result<&'a mut Rfb, DesktopError> {
        self.start(screen).await?;
        if screen.session.is_none()
            && let Some(running) = &screen.running
        {
            let io = running.connect().await?;
            screen.session = Some(Rfb::open(io).await?);
        }
        screen.session.as_mut().ok_or(DesktopError::Absent)
    }

    /// Ends recordings and the screen.
    async fn close(&self) {
        self.recordings.close().await;
        *self.screen.lock().await = Screen::default();
    }
}

#[cfg(test)]
mod tests;
