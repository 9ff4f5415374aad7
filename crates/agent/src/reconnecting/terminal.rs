//! One terminal: its process, and the task that reads what it shows.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::task::AbortOnDropHandle;

use super::kept::Shown;
use crate::environment::{CommandLine, Environment};
use crate::pty::{Controller, Pty, Size};
use crate::workspace::Workspace;

/// A running terminal. Dropping it hangs up its process.
#[derive(Debug)]
pub struct Terminal {
    /// What it shows.
    pub screen: Arc<Shown>,
    controller: tokio::sync::Mutex<Controller>,
    resizer: Controller,
    _reading: AbortOnDropHandle<()>,
}

impl Terminal {
    /// Starts `line`.
    pub fn start(workspace: &Workspace, line: &CommandLine, size: Size) -> io::Result<Self> {
        let (mut child, controller) = Pty::open(size)?.spawn(line.command())?;
        let group = workspace.groups.add(&child);
        let screen = Arc::new(Shown::default());
        let (shown, mut from) = (screen.clone(), controller.clone());
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; 8192];
            while let Ok(n @ 1..) = from.read(&mut buffer).await {
                shown.show(&buffer[..n]).await;
            }
            shown.end();
        });
        // Outlives the terminal: the process may take its time to end.
        tokio::spawn(async move {
            // There is nobody to tell how it went.
            let _ = child.wait().await;
            drop(group);
        });
        Ok(Self {
            screen,
            resizer: controller.clone(),
            controller: tokio::sync::Mutex::new(controller),
            _reading: AbortOnDropHandle::new(reading),
        })
    }

    /// Changes the size for everyone who looks.
    pub fn resize(&self, size: Size) {
        self.resizer.resize(size);
    }

    /// Types.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.controller.lock().await.write_all(bytes).await
    }
}

/// What runs `command` (empty: a login shell) for people at a terminal.
pub fn command_line(workspace: &Workspace, command: &str) -> io::Result<CommandLine> {
    let mut line = workspace
        .command_line(OsStr::new(command), &[])
        .map_err(io::Error::other)?;
    let environment = &mut line.environment;
    environment.insert("TERM".into(), "xterm-256color".into());
    if !has_utf8_locale(environment) {
        environment.insert("LC_CTYPE".into(), "C.UTF-8".into());
    }
    Ok(line)
}

/// Whether the variables name a locale with UTF-8, in the order in which they count.
fn has_utf8_locale(environment: &Environment) -> bool {
    let value = |name: &str| {
        let value = environment
            .get(OsStr::new(name))?
            .to_string_lossy()
            .to_lowercase();
        (!value.is_empty()).then_some(value)
    };
    let locale = value("LC_ALL")
        .or_else(|| value("LC_CTYPE"))
        .or_else(|| value("LANG"));
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_counts() {
        let env = |pairs: &[(&str, &str)]| {
            let env = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
            has_utf8_locale(&env.collect())
        };
        assert!(env(&[("LANG", "de_DE.UTF-8")]));
        assert!(env(&[
            ("LC_ALL", ""),
            ("LC_CTYPE", "C.utf8"),
            ("LANG", "C")
        ]));
        assert!(!env(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(!env(&[]));
    }
}
