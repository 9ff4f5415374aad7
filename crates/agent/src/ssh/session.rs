//! One SSH session: from its first request to the exit code.

use std::ffi::OsStr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::channel::{Channel, ChannelHandle};
use super::command;
use super::connection::{OpenRequest, Peer};
use super::setup::{Setup, Step};
use super::sftp;
use crate::expand;
use crate::metrics;
use crate::sessions::{Kind, Session};
use crate::workspace::Workspace;

/// Exit code for failures of the server itself.
pub const SERVER_FAILURE: i32 = 229;
/// Exit code of a file transfer that the workspace forbids.
const FILE_TRANSFER_BLOCKED: i32 = 65;
/// Programs that transfer files over an SSH session.
const FILE_TRANSFER_PROGRAMS: [&str; 4] = ["nc", "rsync", "scp", "sftp"];
/// Said when a file transfer is blocked; the first byte makes scp show the text.
const FILE_TRANSFER_TEXT: &str = "\x02File transfer has been disabled.";

/// How a session ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// The signal that ended the process, and whether it left a core.
    pub signal: Option<(&'static str, bool)>,
    /// For the connection log.
    pub reason: String,
}

impl Ended {
    /// An end with this code.
    pub fn code(code: i32) -> Self {
        Self {
            code,
            signal: None,
            reason: String::new(),
        }
    }

    /// A failure of the server's, of which the client is told.
    pub async fn failure(handle: &ChannelHandle, text: impl std::fmt::Display) -> Self {
        let text = text.to_string();
        // A client that is gone needs no message.
        let _ = handle
            .stderr()
            .write_all(format!("{text}\r\n").as_bytes())
            .await;
        Self {
            code: SERVER_FAILURE,
            signal: None,
            reason: text,
        }
    }
}

/// Serves a session channel until its end.
pub async fn run(request: OpenRequest, workspace: Arc<Workspace>, ip: String, peer: Peer) {
    let mut channel = request.accept().await;
    let mut setup = Setup::default();
    let (step, want_reply) = loop {
        let Some(request) = channel.requests.recv().await else {
            return;
        };
        let step = setup.take(&request).unwrap_or(Step::Refused);
        match step {
            Step::Done | Step::Refused if request.want_reply => {
                channel.handle.reply(step == Step::Done).await;
            }
            Step::Done | Step::Refused => {}
            step => break (step, request.want_reply),
        }
    };

    let known = !matches!(&step, Step::Subsystem(name) if name != "sftp");
    if want_reply {
        channel.handle.reply(known).await;
    }
    let handle = channel.handle.clone();
    let kind = setup.kind();
    let labels = [
        ("magic_type", kind.map_or("unknown", Kind::name)),
        ("pty", if setup.pty.is_some() { "yes" } else { "no" }),
    ];
    let metrics = &workspace.metrics;
    metrics.count(metrics::name::SESSIONS, &labels);
    if matches!(&step, Step::Subsystem(name) if name == "sftp") {
        metrics.count(metrics::name::SFTP, &[]);
    }
    let mut session = workspace.sessions.begin(kind, ip);
    let ended = start(step, setup, channel, &workspace, &peer, &mut session).await;
    if ended.code == SERVER_FAILURE {
        let [kind, pty] = labels;
        let labels = [kind, pty, ("error_type", "server")];
        metrics.count(metrics::name::SESSION_ERRORS, &labels);
    }
    session.finish(ended.code, ended.reason);
    if let Some((signal, core_dumped)) = ended.signal {
        handle.exit_signal(signal, core_dumped).await;
    }
    // After exit-signal as well: the common clients take their code from here alone.
    handle.exit_status(ended.code as u32).await;
    handle.eof().await;
    handle.close().await;
}

async fn start(
    step: Step,
    setup: Setup,
    channel: Channel,
    workspace: &Arc<Workspace>,
    peer: &Peer,
    session: &mut Session,
) -> Ended {
    // If the task is dropped, this is what the connection log says.
    session.finish(0, "");
    let handle = channel.handle.clone();
    match step {
        Step::Subsystem(name) if name == "sftp" && setup.container.is_some() => Ended {
            reason: "sftp inside a container".into(),
            ..Ended::code(1)
        },
        Step::Subsystem(name) if name == "sftp" => {
            if workspace.config.block_file_transfer {
                return blocked(&handle).await;
            }
            match workspace.command_line(OsStr::new(""), &setup.environment) {
                Ok(line) => sftp::run(channel, line.directory).await,
                Err(error) => Ended::failure(&handle, error).await,
            }
        }
        Step::Subsystem(name) => Ended {
            reason: format!("unknown subsystem {name:?}"),
            ..Ended::code(1)
        },
        Step::Start(script) => {
            if workspace.config.block_file_transfer && transfers_files(&script) {
                return blocked(&handle).await;
            }
            command::run(&script, setup, channel, workspace, peer).await
        }
        Step::Done | Step::Refused => Ended::code(SERVER_FAILURE),
    }
}

async fn blocked(handle: &ChannelHandle) -> Ended {
    // A client that is gone needs no message.
    let _ = handle
        .writer()
        .write_all(FILE_TRANSFER_TEXT.as_bytes())
        .await;
    Ended {
        reason: "file transfer blocked".into(),
        ..Ended::code(FILE_TRANSFER_BLOCKED)
    }
}

fn transfers_files(script: &OsStr) -> bool {
    let words = expand::words(&script.to_string_lossy());
    let program = words.first().and_then(|word| word.rsplit('/').next());
    program.is_some_and(|program| FILE_TRANSFER_PROGRAMS.contains(&program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_transfer_files_are_known() {
        for script in [
            "scp -t .",
            "/usr/bin/rsync --server",
            "nc localhost 1",
            "'sftp'",
        ] {
            assert!(transfers_files(OsStr::new(script)), "{script}");
        }
        for script in ["", "echo scp", "scpx"] {
            assert!(!transfers_files(OsStr::new(script)), "{script}");
        }
    }
}
