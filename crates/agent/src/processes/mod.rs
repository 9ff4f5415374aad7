//! Commands that callers of the agent's API start: they run on without their
//! callers, and their output can be asked for until some time after their end.

mod kept;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use api_types::{ProcessInfo, ProcessTruncation, StartProcessRequest};
use chrono::Utc;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use uuid::Uuid;

use crate::account::Account;
use crate::desktop::Desktop;
use crate::environment;
use crate::process::{self, Group};
use crate::workspace::Workspace;
use kept::Kept;

/// Processes that are known at a time; the oldest that have ended give way.
const MAX_PROCESSES: usize = 256;
/// Seconds for which a process that has ended is known.
const REMEMBERED: i64 = 5 * 60;
/// How long after the end of a process its output may be held open by others.
const DRAIN: Duration = Duration::from_secs(5);
/// Code of a process that ended by a signal, or of which nothing is known.
const NO_CODE: i32 = -1;

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It needs the environment of the workspace.
    #[error(transparent)]
    NotReady(#[from] crate::workspace::NotReady),
    /// Too many run already.
    #[error("{MAX_PROCESSES} processes are running already; end some of them first")]
    TooMany,
    /// The system failed.
    #[error("start process: {0}")]
    Io(#[from] io::Error),
}

/// How a process has ended.
#[derive(Debug, Clone, Copy)]
struct Exit {
    code: i32,
    at: i64,
}

/// One process.
#[derive(Debug)]
pub struct Process {
    id: Uuid,
    request: StartProcessRequest,
    directory: PathBuf,
    chat: Option<Uuid>,
    started: i64,
    kept: Mutex<Kept>,
    exit: watch::Sender<Option<Exit>>,
    group: Group,
}

/// The processes of a workspace.
#[derive(Debug)]
pub struct Processes {
    workspace: Arc<Workspace>,
    desktop: Arc<Desktop>,
    known: Mutex<HashMap<Uuid, Arc<Process>>>,
}

impl Processes {
    /// None yet.
    pub fn new(workspace: Arc<Workspace>, desktop: Arc<Desktop>) -> Self {
        Self {
            workspace,
            desktop,
            known: Mutex::default(),
        }
    }

    /// Starts a command of a chat, or of someone else.
    pub fn start(
        &self,
        request: StartProcessRequest,
        chat: Option<Uuid>,
    ) -> Result<Arc<Process>, StartError> {
        let mut known = self.known.lock();
        make_room(&mut known)?;
        let (child, output, directory) = spawn(&self.workspace, &self.desktop, &request, chat)?;
        let process = Arc::new(Process {
            id: Uuid::new_v4(),
            request,
            directory,
            chat,
            started: Utc::now().timestamp(),
            kept: Mutex::default(),
            exit: watch::Sender::new(None),
            group: self.workspace.groups.add(&child),
        });
        known.insert(process.id, process.clone());
        drop(known);
        tokio::spawn(
            process
                .clone()
                .follow(child, output, self.workspace.clone()),
        );
        Ok(process)
    }

    /// The process with this id, if the chat may know it: its own, and those of nobody.
    pub fn get(&self, id: &str, chat: Option<Uuid>) -> Option<Arc<Process>> {
        let process = self.known.lock().get(&id.parse().ok()?)?.clone();
        let foreign = chat.is_some() && process.chat.is_some() && process.chat != chat;
        (!foreign).then_some(process)
    }

    /// Every process, or those of a chat: running ones first, then the latest.
    pub fn list(&self, chat: Option<Uuid>) -> Vec<ProcessInfo> {
        let mut known = self.known.lock();
        let now = Utc::now().timestamp();
        known.retain(|_, process| {
            let exit = *process.exit.borrow();
            exit.is_none_or(|exit| now - exit.at <= REMEMBERED)
        });
        let mut list: Vec<_> = known
            .values()
            .filter(|process| chat.is_none() || process.chat == chat)
            .map(|process| process.info())
            .collect();
        list.sort_by_key(|info| (!info.running, std::cmp::Reverse(info.started_at_unix)));
        list
    }
}

fn make_room(known: &mut HashMap<Uuid, Arc<Process>>) -> Result<(), StartError> {
    if known.len() < MAX_PROCESSES {
        return Ok(());
    }
    let oldest = known
        .values()
        .filter_map(|process| Some((process.exit.borrow().as_ref()?.at, process.id)))
        .min();
    let (_, id) = oldest.ok_or(StartError::TooMany)?;
    known.remove(&id);
    Ok(())
}

fn spawn(
    workspace: &Workspace,
    desktop: &Desktop,
    request: &StartProcessRequest,
    chat: Option<Uuid>,
) -> Result<(Child, pipe::Receiver, PathBuf), StartError> {
    let manifest = workspace.manifest().ok_or(crate::workspace::NotReady)?;
    let account = Account::current();
    let mut environment = environment::environment(&workspace.config, &manifest, &account, &[]);
    // What has windows shows them on the desktop, if there is one.
    for (name, value) in desktop.variables() {
        environment.insert(name.into(), value);
    }
    let given = request
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()));
    let chat = chat.map(|chat| ("CODER_CHAT_ID", chat.to_string()));
    for (name, value) in given.chain(chat) {
        let unusable = name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
        if unusable {
            return Err(io::Error::other(format!("{name:?} cannot be set")).into());
        }
        environment.insert(OsString::from(name), OsString::from(value));
    }
    let directory = if request.workdir.is_empty() {
        let configured = manifest.directory.clone().filter(|d| d.is_dir());
        configured.unwrap_or(account.home)
    } else {
        PathBuf::from(&request.workdir)
    };
    // One pipe for both, so that lines come in the order in which they were written.
    let (from, to) = io::pipe()?;
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", &request.command])
        .env_clear()
        .envs(&environment)
        .current_dir(&directory)
        .stdin(Stdio::null())
        .stdout(to.try_clone()?)
        .stderr(to);
    process::detach(&mut command);
    let child = Command::from(command).spawn()?;
    Ok((
        child,
        pipe::Receiver::from_owned_fd(from.into())?,
        directory,
    ))
}

impl Process {
    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What is known of it.
    pub fn info(&self) -> ProcessInfo {
        let exit = *self.exit.borrow();
        ProcessInfo {
            id: self.id.to_string(),
            command: self.request.command.clone(),
            workdir: self.directory.to_string_lossy().into_owned(),
            background: self.request.background,
            running: exit.is_none(),
            exit_code: exit.map(|exit| exit.code),
            started_at_unix: self.started,
            exited_at_unix: exit.map(|exit| exit.at),
        }
    }

    /// What it has written.
    pub fn output(&self) -> (String, Option<ProcessTruncation>) {
        self.kept.lock().show()
    }

    /// Returns when it has ended and all its output is known.
    pub async fn ended(&self) {
        // The sender is part of the process itself.
        let _ = self.exit.subscribe().wait_for(Option::is_some).await;
    }

    /// Sends a signal to it and what it has started; `false` if it has ended.
    pub fn signal(&self, signal: Signal) -> bool {
        let running = self.exit.borrow().is_none();
        if running {
            self.group.signal(signal);
        }
        running
    }

    async fn follow(
        self: Arc<Self>,
        mut child: Child,
        mut output: pipe::Receiver,
        workspace: Arc<Workspace>,
    ) {
        let mut buffer = vec![0; 8192];
        let mut status: Option<io::Result<ExitStatus>> = None;
        let drained = tokio::time::sleep(Duration::MAX);
        tokio::pin!(drained);
        loop {
            tokio::select! {
                read = output.read(&mut buffer) => match read {
                    Ok(n @ 1..) => self.kept.lock().push(&buffer[..n]),
                    _ => break,
                },
                ended = child.wait(), if status.is_none() => {
                    status = Some(ended);
                    drained.as_mut().reset(tokio::time::Instant::now() + DRAIN);
                }
                () = &mut drained, if status.is_some() => break,
                () = workspace.shutdown.cancelled(), if status.is_none() => {
                    self.group.signal(Signal::SIGKILL);
                    break;
                }
            }
        }
        let status = match status {
            Some(status) => status,
            None => child.wait().await,
        };
        let code = status
            .ok()
            .and_then(|status| status.code())
            .unwrap_or(NO_CODE);
        self.exit.send_replace(Some(Exit {
            code,
            at: Utc::now().timestamp(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn processes() -> Processes {
        let workspace = testing::workspace();
        Processes::new(workspace.clone(), Desktop::new(workspace))
    }

    fn command(text: &str) -> StartProcessRequest {
        StartProcessRequest {
            command: text.into(),
            env: [("EXTRA".to_owned(), "given".to_owned())].into(),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn output_and_code_are_known_after_the_end() {
        let processes = processes();
        let chat = Uuid::from_u128(5);
        let script = "echo $EXTRA $CODER_CHAT_ID; echo err >&2; exit 3";
        let process = processes.start(command(script), Some(chat)).unwrap();
        process.ended().await;
        assert_eq!(process.output().0, format!("given {chat}\nerr\n"));
        let info = process.info();
        assert_eq!((info.running, info.exit_code), (false, Some(3)));
        assert!(!process.signal(Signal::SIGTERM));
    }

    #[tokio::test]
    async fn a_signal_reaches_everything_that_was_started() {
        let processes = processes();
        let process = processes
            .start(command("sleep 600 | sleep 600"), None)
            .unwrap();
        assert!(process.signal(Signal::SIGKILL));
        process.ended().await;
        assert_eq!(process.info().exit_code, Some(NO_CODE));
    }

    #[tokio::test]
    async fn chats_do_not_see_each_other() {
        let processes = processes();
        let (mine, other) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
        let process = processes.start(command("true"), mine).unwrap();
        let id = process.id().to_string();
        assert!(processes.get(&id, mine).is_some() && processes.get(&id, None).is_some());
        assert!(processes.get(&id, other).is_none());
        assert_eq!(
            (processes.list(mine).len(), processes.list(other).len()),
            (1, 0)
        );
        assert!(processes.get("nonsense", None).is_none());
    }

    #[tokio::test]
    async fn what_cannot_start_says_why() {
        let processes = processes();
        let wrong = StartProcessRequest {
            workdir: "/nowhere".into(),
            ..command("true")
        };
        assert!(processes.start(wrong, None).is_err());
        let wrong = StartProcessRequest {
            env: [("A=B".to_owned(), String::new())].into(),
            ..command("true")
        };
        assert!(
            processes
                .start(wrong, None)
                .unwrap_err()
                .to_string()
                .contains("A=B")
        );
        assert!(processes.list(None).is_empty());
    }
}
