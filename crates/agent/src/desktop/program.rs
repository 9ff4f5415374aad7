//! The program that makes a screen where there is none: `portabledesktop` where a template brings it,
//! else an X server that speaks the remote framebuffer protocol (TigerVNC's `Xvnc`).
//!
//! Ours is reached by a socket in a directory that only this account can enter, and by X programs with
//! a cookie of its own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};

use super::DesktopError;
use super::rfb::Io;
use crate::account::Account;
use crate::environment;
use crate::process::{self, Group};
use crate::workspace::{NotReady, Workspace};

/// Size of the screen, in pixels.
pub(super) const WIDTH: u16 = 1920;
pub(super) const HEIGHT: u16 = 1080;

/// Brings its own X server and window manager.
pub(super) const PORTABLE: &str = "portabledesktop";
/// X servers that speak the protocol, in the order in which they are tried.
const SERVERS: [&str; 2] = ["Xtigervnc", "Xvnc"];
/// What moves and frames windows; the first that is there is started.
const WINDOW_MANAGERS: [&str; 6] = ["openbox", "xfwm4", "fluxbox", "icewm", "metacity", "twm"];
/// How long a screen may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest line by which a program says that it is ready, in bytes.
const MAX_LINE: u64 = 64 << 10;
/// How much of what a program that failed said is told, in bytes.
const MAX_COMPLAINT: u64 = 8 << 10;

/// A screen whose program runs.
pub(super) struct Running {
    program: Program,
    place: Place,
    window_manager: Option<Child>,
    _directory: Option<Directory>,
    /// What programs need to show themselves there, if that is known.
    pub(super) variables: Vec<(&'static str, OsString)>,
}

/// Where it is reached.
enum Place {
    Port(u16),
    Socket(PathBuf),
}

/// What `portabledesktop up --json` says.
#[derive(Deserialize)]
struct Up {
    #[serde(rename = "vncPort")]
    vnc_port: u16,
}

/// A program that is ended with what it started when it is let go, ready or not.
struct Program {
    child: Child,
    group: Group,
}

impl Program {
    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_alive() {
            self.group.signal(Signal::SIGTERM);
        }
    }
}

impl Running {
    /// Whether its program still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        self.program.is_alive()
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Io>> {
        Ok(match &self.place {
            Place::Port(port) => Box::new(TcpStream::connect(("127.0.0.1", *port)).await?),
            Place::Socket(path) => Box::new(UnixStream::connect(path).await?),
        })
    }

    /// Starts what is there.
    pub(super) async fn start(workspace: &Workspace) -> Result<Self, DesktopError> {
        let manifest = workspace.manifest().ok_or(NotReady)?;
        let account = Account::current();
        let environment = environment::environment(&workspace.config, &manifest, &account, &[]);
        let path = environment
            .get(OsStr::new("PATH"))
            .cloned()
            .unwrap_or_default();
        let find = |name: &str| find(&path, name);
        let started = async {
            if let Some(program) = find(PORTABLE) {
                let mut command = std::process::Command::new(program);
                command.env_clear().envs(&environment);
                portable(workspace, command).await
            } else if let Some(program) = SERVERS.into_iter().find_map(find) {
                let mut command = std::process::Command::new(program);
                command.env_clear().envs(&environment);
                let mut running = server(workspace, command).await?;
                if let Some(program) = WINDOW_MANAGERS.into_iter().find_map(find) {
                    let mut command = std::process::Command::new(program);
                    command.env_clear().envs(&environment);
                    command.envs(running.variables.iter().cloned());
                    running.window_manager = spawn(command, Stdio::null(), Stdio::null()).ok();
                }
                Ok(running)
            } else {
                Err(DesktopError::Absent)
            }
        };
        tokio::time::timeout(PATIENCE, started)
            .await
            .unwrap_or_else(|_| {
                let text = format!("no screen appeared within {} s", PATIENCE.as_secs());
                Err(DesktopError::Start(text))
            })
    }
}

/// The program of this name in the directories of `path`.
pub(super) fn find(path: &OsStr, name: &str) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        std::fs::metadata(path)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(is_program)
}

/// Starts a program that reads nothing.
pub(super) fn spawn(
    mut command: std::process::Command,
    out: Stdio,
    err: Stdio,
) -> io::Result<Child> {
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    process::detach(&mut command);
    Command::from(command).spawn()
}

fn failed(error: impl std::fmt::Display) -> DesktopError {
    DesktopError::Start(error.to_string())
}

/// The first line that a child says, or what it complained of.
async fn first_line(child: &mut Child) -> Result<String, DesktopError> {
    let (Some(out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(failed("the program has no output"));
    };
    let mut out = BufReader::new(out.take(MAX_LINE));
    let mut line = String::new();
    out.read_line(&mut line).await.map_err(failed)?;
    if line.trim().is_empty() {
        let complaint = complaint(err).await;
        return Err(failed(format!("the program ended: {complaint}")));
    }
    // Nobody reads what it says from now on, and it must not stop because of that.
    tokio::spawn(async move {
        let mut out = out.into_inner().into_inner();
        let (mut said, mut complained) = (tokio::io::sink(), tokio::io::sink());
        let _ = tokio::join!(
            tokio::io::copy(&mut out, &mut said),
            tokio::io::copy(&mut err, &mut complained),
        );
    });
    Ok(line)
}

/// The last line of a program that failed.
async fn complaint(err: impl AsyncRead + Unpin) -> String {
    let mut said = Vec::new();
    // What was said until a failure is said.
    let _ = err.take(MAX_COMPLAINT).read_to_end(&mut said).await;
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it said nothing").trim().to_owned()
}

/// A program whose output is read.
fn started(workspace: &Workspace, command: std::process::Command) -> Result<Program, DesktopError> {
    let child = spawn(command, Stdio::piped(), Stdio::piped()).map_err(failed)?;
    let group = workspace.groups.add(&child);
    Ok(Program { child, group })
}

async fn portable(
    workspace: &Workspace,
    mut command: std::process::Command,
) -> Result<Running, DesktopError> {
    command.args(["up", "--json", "--geometry", &format!("{WIDTH}x{HEIGHT}")]);
    let mut program = started(workspace, command)?;
    let line = first_line(&mut program.child).await?;
    let up: Up = serde_json::from_str(&line)
        .map_err(|error| failed(format!("{PORTABLE} up did not say its port: {error}")))?;
    if up.vnc_port == 0 {
        return Err(failed(format!("{PORTABLE} up has no port")));
    }
    Ok(Running {
        program,
        place: Place::Port(up.vnc_port),
        window_manager: None,
        _directory: None,
        variables: Vec::new(),
    })
}

async fn server(
    workspace: &Workspace,
    mut command: std::process::Command,
) -> Result<Running, DesktopError> {
    let directory = Directory::new(&workspace.config.script_data()).map_err(failed)?;
    let (socket, cookies) = (directory.0.join("vnc"), directory.0.join("Xauthority"));
    std::fs::write(&cookies, cookie_file(&rand::random())).map_err(failed)?;
    command
        .args(["-displayfd", "1", "-geometry"])
        .arg(format!("{WIDTH}x{HEIGHT}"))
        .args(["-depth", "24", "-nolisten", "tcp", "-SecurityTypes", "None"])
        // Sockets of the network would be open to every account of the machine.
        .args(["-rfbport", "-1", "-rfbunixpath"])
        .arg(&socket)
        .arg("-auth")
        .arg(&cookies);
    let mut program = started(workspace, command)?;
    let line = first_line(&mut program.child).await?;
    let number: u16 = line
        .trim()
        .parse()
        .map_err(|_| failed(format!("the X server has the display {:?}", line.trim())))?;
    Ok(Running {
        program,
        place: Place::Socket(socket),
        window_manager: None,
        _directory: Some(directory),
        variables: vec![
            ("DISPLAY", format!(":{number}").into()),
            ("XAUTHORITY", cookies.into()),
        ],
    })
}

/// A directory that only this account may enter, and that is gone with its screen.
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(parent)?;
        let path = parent.join(format!("desktop-{:016x}", rand::random::<u64>()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed lies in a temporary place.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file of X's cookies (the format of `libXau`) with one, for every display of every host.
fn cookie_file(cookie: &[u8; 16]) -> Vec<u8> {
    const ANY: u16 = 0xffff;
    let mut file = ANY.to_be_bytes().to_vec();
    for field in [&b""[..], b"", b"MIT-MAGIC-COOKIE-1", cookie] {
        // All are short.
        file.extend(u16::try_from(field.len()).unwrap_or(0).to_be_bytes());
        file.extend(field);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_have_their_form() {
        let file = cookie_file(&[7; 16]);
        assert_eq!(file[..6], [255, 255, 0, 0, 0, 0]);
        assert_eq!(file[6..8], [0, 18]);
        assert_eq!(&file[8..26], b"MIT-MAGIC-COOKIE-1");
        assert_eq!(file[26..28], [0, 16]);
        assert_eq!(file.len(), 44);
    }

    #[test]
    fn programs_are_found_where_they_can_be_run() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().as_os_str();
        std::fs::write(here.path().join("plain"), "").unwrap();
        std::fs::create_dir(here.path().join("directory")).unwrap();
        assert_eq!(find(path, "plain"), None);
        assert_eq!(find(path, "directory"), None);
        assert!(find(OsStr::new("/bin"), "sh").is_some());
        assert_eq!(
            find(OsStr::new("bin:."), "sh"),
            None,
            "relative places are not searched"
        );
    }
}
