//! A shell or command in a session, on pipes or on a terminal.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::agent_forward::AgentSocket;
use super::channel::{Channel, ChannelHandle, ChannelReader, ChannelWriter, Request};
use super::connection::Peer;
use super::pty_modes;
use super::session::Ended;
use super::setup::{self, PtyRequest, Setup};
use super::wire::Reader;
use super::x11::Display;
use crate::account::Account;
use crate::banners;
use crate::containers::{self, InsideError};
use crate::environment::CommandLine;
use crate::process::{self, Group};
use crate::pty::{Controller, Pty};
use crate::workspace::Workspace;

/// After the end of a shell its terminal may be silent for this long before it
/// counts as empty; programs in the background must not keep the session open.
const DRAIN: Duration = Duration::from_millis(100);

/// Runs `script` (empty: a login shell) to its end.
pub async fn run(
    script: &OsStr,
    setup: Setup,
    channel: Channel,
    workspace: &Arc<Workspace>,
    peer: &Peer,
) -> Ended {
    let mut line = match workspace.command_line(script, &setup.environment) {
        Ok(line) => line,
        Err(error) => return Ended::failure(&channel.handle, error).await,
    };
    let env = &mut line.environment;
    // The tunnel has no addresses that would mean anything to a program, but
    // programs look at these variables to learn that they run under SSH.
    env.insert("SSH_CLIENT".into(), "0.0.0.0 0 0".into());
    env.insert("SSH_CONNECTION".into(), "0.0.0.0 0 0.0.0.0 0".into());
    let agent = if setup.agent {
        AgentSocket::listen(peer)
    } else {
        None
    };
    if let Some(agent) = &agent {
        env.insert("SSH_AUTH_SOCK".into(), agent.path().into());
    }
    let display = match &setup.x11 {
        Some(request) => Display::open(request, env, peer).await,
        None => None,
    };
    if let Some(display) = &display {
        env.insert("DISPLAY".into(), display.name().into());
    }
    if let Some(pty) = &setup.pty {
        env.insert("TERM".into(), pty.term.clone());
    }
    if let Some(container) = &setup.container {
        line = match inside(container, script, &setup, line, workspace).await {
            Ok(line) => line,
            Err(error) => return Ended::failure(&channel.handle, error).await,
        };
    }
    match setup.pty {
        Some(pty) => on_terminal(script.is_empty(), line, pty, channel, workspace).await,
        None => on_pipes(line, channel, workspace).await,
    }
}

/// The same inside a container.
async fn inside(
    container: &str,
    script: &OsStr,
    setup: &Setup,
    line: CommandLine,
    workspace: &Workspace,
) -> Result<CommandLine, InsideError> {
    if !workspace.config.devcontainers {
        return Err(InsideError::Disabled);
    }
    let (user, terminal) = (&setup.container_user, setup.pty.is_some());
    containers::command_line(container, user, script, terminal, line.environment).await
}

fn could_not_start(line: &CommandLine, error: &std::io::Error) -> String {
    format!(
        "{} could not be started: {error}",
        line.program.to_string_lossy()
    )
}

async fn on_pipes(line: CommandLine, channel: Channel, workspace: &Workspace) -> Ended {
    let Channel {
        reader,
        handle,
        mut requests,
    } = channel;
    let mut command = line.command();
    process::detach(&mut command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match Command::from(command).spawn() {
        Ok(child) => child,
        Err(error) => return Ended::failure(&handle, could_not_start(&line, &error)).await,
    };
    // An environment is larger than all else of an idle session.
    drop(line);
    let group = workspace.groups.add(&child);
    let stdin = child.stdin.take();
    let input = AbortOnDropHandle::new(tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // The process may close its input early; what else comes is discarded.
            let _ = process::pump(reader, &mut stdin).await;
        }
    }));
    let outputs = [
        child
            .stdout
            .take()
            .map(|out| spawn_pump(out, handle.writer())),
        child
            .stderr
            .take()
            .map(|err| spawn_pump(err, handle.stderr())),
    ];
    let Some(status) = wait(&mut child, &mut requests, &handle, &group, None).await else {
        // The client is gone. Its process keeps running with closed pipes.
        drop((input, outputs));
        return finished(child.wait().await, true);
    };
    drop(input);
    // Whatever holds the pipes still belongs to the command, as with every SSH server.
    let drained = async {
        for output in outputs.into_iter().flatten() {
            // A pump ends early only when the client is gone.
            let _ = output.await;
        }
    };
    tokio::select! {
        () = drained => {}
        () = handle.refuse_all(&mut requests) => {}
    }
    finished(status, false)
}

async fn on_terminal(
    login: bool,
    mut line: CommandLine,
    wanted: PtyRequest,
    channel: Channel,
    workspace: &Arc<Workspace>,
) -> Ended {
    let Channel {
        reader,
        handle,
        mut requests,
    } = channel;
    let pty = match Pty::open(wanted.size) {
        Ok(pty) => pty,
        Err(error) => {
            let text = format!("no terminal could be opened: {error}");
            return Ended::failure(&handle, text).await;
        }
    };
    // Modes that the system refuses leave the terminal usable.
    let _ = pty.configure(|settings| pty_modes::apply(settings, &wanted.modes));
    line.environment.insert("SSH_TTY".into(), pty.path().into());
    let mut writer = handle.writer();
    if login {
        let greeting = banners::greeting(workspace, &Account::current());
        // A client that is gone shows itself below.
        let _ = writer.write_all(&greeting).await;
    }
    let (mut child, controller) = match pty.spawn(line.command()) {
        Ok(started) => started,
        Err(error) => return Ended::failure(&handle, could_not_start(&line, &error)).await,
    };
    drop(line);
    let group = workspace.groups.add(&child);
    let input = spawn_input(reader, controller.clone());
    let exited = CancellationToken::new();
    let output = tokio::spawn(terminal_output(controller.clone(), writer, exited.clone()));
    let output = AbortOnDropHandle::new(output);
    let terminal = Some(&controller);
    let status = wait(&mut child, &mut requests, &handle, &group, terminal).await;
    drop((input, controller));
    let Some(status) = status else {
        // The client is gone: the terminal hangs up with its last user, and the shell with it.
        drop(output);
        return finished(child.wait().await, true);
    };
    exited.cancel();
    tokio::select! {
        // It ends early only when the client is gone.
        _ = output => {}
        () = handle.refuse_all(&mut requests) => {}
    }
    finished(status, false)
}

fn spawn_pump(
    from: impl tokio::io::AsyncRead + Unpin + Send + 'static,
    mut to: ChannelWriter,
) -> AbortOnDropHandle<std::io::Result<()>> {
    AbortOnDropHandle::new(tokio::spawn(
        async move { process::pump(from, &mut to).await },
    ))
}

fn spawn_input(reader: ChannelReader, mut to: Controller) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        // A terminal whose processes are gone takes nothing.
        let _ = process::pump(reader, &mut to).await;
    }))
}

/// Moves what appears on the terminal, until it is closed or has become silent
/// after the end of its shell.
async fn terminal_output(mut from: Controller, mut to: ChannelWriter, exited: CancellationToken) {
    let mut buffer = BytesMut::with_capacity(8192);
    loop {
        let read = tokio::select! {
            biased;
            read = from.read_buf(&mut buffer) => read,
            () = async { exited.cancelled().await; tokio::time::sleep(DRAIN).await } => return,
        };
        if !matches!(read, Ok(1..)) || to.write_all_buf(&mut buffer).await.is_err() {
            return;
        }
        buffer.clear();
        buffer.reserve(8192);
    }
}

/// Waits for the end of the process while serving requests on the channel.
/// `None` when the client leaves first.
async fn wait(
    child: &mut Child,
    requests: &mut mpsc::Receiver<Request>,
    handle: &ChannelHandle,
    group: &Group,
    terminal: Option<&Controller>,
) -> Option<std::io::Result<ExitStatus>> {
    loop {
        tokio::select! {
            status = child.wait() => return Some(status),
            request = requests.recv() => {
                let request = request?;
                let mut data = Reader::new(&request.data);
                let done = match (request.kind.as_str(), terminal) {
                    ("window-change", Some(terminal)) => {
                        setup::size(&mut data).map(|size| terminal.resize(size)).is_ok()
                    }
                    ("break", Some(terminal)) => {
                        terminal.send_break();
                        true
                    }
                    ("signal", _) => data
                        .text()
                        .map(|name| group.signal(process::signal_by_name(name)))
                        .is_ok(),
                    _ => false,
                };
                if request.want_reply {
                    handle.reply(done).await;
                }
            }
        }
    }
}

fn finished(status: std::io::Result<ExitStatus>, left: bool) -> Ended {
    let reason = if left {
        "client disconnected".to_owned()
    } else {
        String::new()
    };
    match status {
        Ok(status) => Ended {
            code: process::exit_code(status),
            signal: process::exit_signal(status),
            reason,
        },
        Err(error) => Ended {
            code: super::session::SERVER_FAILURE,
            signal: None,
            reason: format!("waiting for the process failed: {error}"),
        },
    }
}
