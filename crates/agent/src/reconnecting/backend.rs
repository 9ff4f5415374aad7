//! What stands behind a terminal: GNU screen where it is installed, else a program
//! of which only the end of the output is kept. Screen knows what the terminal
//! looks like, so whoever comes back sees all of it, and it survives the agent.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use uuid::Uuid;

use crate::environment::{CommandLine, Environment};

/// How long screen may take to start or to end.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Settings of screen: as little of itself as possible.
const CONFIG: &str = "\
# No line of its own at the bottom, no message at the start.
hardstatus off
startup_message off
vbell off
# Programs of the whole screen leave nothing behind.
altscreen on
# Applications see the terminal as it is.
term xterm-256color
defutf8 on
defscrollback 10000
# No key belongs to screen.
escape \\377\\377
";

/// The backend that a viewer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// GNU screen.
    Screen,
    /// Only the end of the output.
    Buffered,
}

impl Backend {
    /// By the name that clients use; the best that there is for an empty one.
    pub fn choose(name: &str) -> io::Result<Self> {
        match name {
            "" if program().is_some() => Ok(Self::Screen),
            "" | "buffered" => Ok(Self::Buffered),
            "screen" if program().is_some() => Ok(Self::Screen),
            "screen" => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "screen is not installed in this workspace; use the buffered backend",
            )),
            other => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "unknown terminal backend {other:?}: the known ones are screen and buffered"
                ),
            )),
        }
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join("screen"))
        .find(|program| program.is_file())
}

/// A session of screen; its programs end when it is dropped.
#[derive(Debug)]
pub struct Screen {
    program: PathBuf,
    /// Of this form because tools list sessions by it.
    name: String,
    config: PathBuf,
    environment: Environment,
}

impl Screen {
    /// Starts `line` in a session of its own.
    pub async fn start(id: Uuid, line: &CommandLine, data: &Path) -> io::Result<Self> {
        let program = program().ok_or(io::ErrorKind::NotFound)?;
        let directory = data.join("screen");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)?;
        let config = directory.join("config");
        fs::write(&config, CONFIG)?;
        let mut environment = line.environment.clone();
        // A place of our own: the usual one may not be writable for this account.
        let sockets = directory.join("sockets");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&sockets)?;
        environment.insert("SCREENDIR".into(), sockets.clone().into());
        let screen = Self {
            program,
            name: id.simple().to_string()[..8].to_owned(),
            config,
            environment,
        };
        let mut arguments: Vec<OsString> = ["-dmS".into(), screen.name.clone().into()].into();
        arguments.extend(["-c".into(), screen.config.clone().into()]);
        // Who uses screen inside looks for sessions in the usual place.
        arguments.extend(["env", "-u", "SCREENDIR", "-u", "STY"].map(OsString::from));
        arguments.push(line.program.clone());
        arguments.extend(line.arguments.iter().cloned());
        screen.run(&arguments, &line.directory).await?;
        screen.listening(&sockets).await;
        Ok(screen)
    }

    /// Waits until the session can be attached to: screen returns a little before that. One
    /// whose program has ended already never listens, and says so itself.
    async fn listening(&self, sockets: &Path) {
        const ATTEMPTS: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(20);
        let suffix = format!(".{}", self.name);
        for _ in 0..ATTEMPTS {
            let there = fs::read_dir(sockets)
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().ends_with(&suffix));
            if there {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What shows the session on a terminal.
    pub fn attach(&self) -> CommandLine {
        let mut environment = self.environment.clone();
        environment.insert("TERM".into(), "xterm-256color".into());
        CommandLine {
            program: self.program.clone().into_os_string(),
            arguments: ["-x", &self.name].map(OsString::from).into(),
            directory: PathBuf::from("/"),
            environment,
        }
    }

    async fn run(&self, arguments: &[OsString], directory: &Path) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if directory.is_dir() {
            command.current_dir(directory);
        }
        let status = tokio::time::timeout(TIMEOUT, command.status()).await;
        match status.map_err(|_| io::ErrorKind::TimedOut)?? {
            status if status.success() => Ok(()),
            status => Err(io::Error::other(format!("screen failed with {status}"))),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The same as when its last program has ended.
        let quit = ["-S", &self.name, "-X", "quit"];
        let _ = std::process::Command::new(&self.program)
            .args(quit.map(OsStr::new))
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(|mut child| {
                // Collected on a thread: it ends at once, but not before this returns.
                std::thread::spawn(move || child.wait());
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_backends_are_chosen() {
        assert_eq!(Backend::choose("buffered").unwrap(), Backend::Buffered);
        assert!(
            Backend::choose("tmux")
                .unwrap_err()
                .to_string()
                .contains("tmux")
        );
        let best = Backend::choose("").unwrap();
        assert_eq!(best == Backend::Screen, program().is_some());
    }
}
