//! One run of one script.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use rpc::proto::agent::log::Level;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::lines::Lines;
use crate::account::Account;
use crate::logs::Logs;
use crate::manifest::Script;
use crate::process;
use crate::workspace::Workspace;

/// How long a script may take to end after it was told to, and how long its
/// output may stay open after its end.
const GRACE: Duration = Duration::from_secs(10);
/// Code of a script that could not be run.
const NOT_RUN: i32 = 255;

/// How a script went, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Code 0.
    Ok,
    /// Code 0, but something it started still holds its output.
    PipesLeftOpen,
    /// Another code, or it could not be run.
    Failed,
    /// It was too slow.
    TimedOut,
}

/// Runs a script to its end; answers with the outcome and the code.
pub async fn run(script: &Script, workspace: &Workspace, logs: &Arc<Logs>) -> (Outcome, i32) {
    match start(script, workspace, logs).await {
        Ok(result) => result,
        Err(error) => {
            logs.push(
                script.log_source,
                Level::Error,
                format!("the script could not be run: {error}"),
            );
            tracing::error!(script = script.display_name, %error, "a script could not be run");
            (Outcome::Failed, NOT_RUN)
        }
    }
}

async fn start(
    script: &Script,
    workspace: &Workspace,
    logs: &Arc<Logs>,
) -> io::Result<(Outcome, i32)> {
    let data = workspace
        .config
        .script_data()
        .join(script.log_source.to_string());
    std::fs::create_dir_all(&data)?;
    let variables: [(OsString, OsString); 2] = [
        ("CODER_SCRIPT_DATA_DIR".into(), data.into()),
        (
            "CODER_SCRIPT_BIN_DIR".into(),
            workspace.config.script_bin().into(),
        ),
    ];
    let line = workspace
        .command_line(OsStr::new(&script.text), &variables)
        .map_err(io::Error::other)?;
    let file = Arc::new(Mutex::new(log_file(&log_path(script, workspace))));

    let mut command = line.command();
    process::detach(&mut command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Command::from(command).spawn()?;
    let group = workspace.groups.add(&child);
    let mut outputs = tokio::task::JoinSet::new();
    let sink = |level| Sink {
        source: script.log_source,
        level,
        logs: logs.clone(),
        file: file.clone(),
    };
    if let Some(out) = child.stdout.take() {
        outputs.spawn(sink(Level::Info).take(out));
    }
    if let Some(err) = child.stderr.take() {
        outputs.spawn(sink(Level::Error).take(err));
    }

    let limit = if script.timeout.is_zero() {
        Duration::MAX
    } else {
        script.timeout
    };
    let status = tokio::select! {
        status = child.wait() => Some(status?),
        () = tokio::time::sleep(limit) => None,
    };
    let timed_out = status.is_none();
    let status = if let Some(status) = status {
        status
    } else {
        group.signal(Signal::SIGHUP);
        if let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await {
            status?
        } else {
            group.signal(Signal::SIGKILL);
            child.wait().await?
        }
    };
    let closed = tokio::time::timeout(GRACE, async {
        while outputs.join_next().await.is_some() {}
    });
    let left_open = closed.await.is_err();
    let code = process::exit_code(status);
    let outcome = match (timed_out, code, left_open) {
        (true, ..) => Outcome::TimedOut,
        (_, 0, false) => Outcome::Ok,
        (_, 0, true) => Outcome::PipesLeftOpen,
        _ => Outcome::Failed,
    };
    if timed_out {
        let text = format!(
            "the script was stopped after {} s",
            script.timeout.as_secs_f64()
        );
        logs.push(script.log_source, Level::Error, text);
    }
    Ok((outcome, code))
}

fn log_path(script: &Script, workspace: &Workspace) -> PathBuf {
    if script.log_path.is_empty() {
        let name = format!("coder-script-{}.log", script.log_source);
        return workspace.config.log_dir.join(name);
    }
    let account = Account::current();
    if script.log_path.starts_with('~') {
        return account.expand(&script.log_path);
    }
    workspace.config.log_dir.join(&script.log_path)
}

/// The script runs without its log file where that cannot be written.
fn log_file(path: &std::path::Path) -> Option<File> {
    if let Some(parent) = path.parent() {
        // If it cannot be made, opening fails and says why.
        let _ = std::fs::create_dir_all(parent);
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .inspect_err(|error| tracing::warn!(%error, ?path, "a script's log file cannot be written"))
        .ok()
}

/// Where one of the outputs goes.
struct Sink {
    source: uuid::Uuid,
    level: Level,
    logs: Arc<Logs>,
    file: Arc<Mutex<Option<File>>>,
}

impl Sink {
    async fn take(self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 8192];
        let mut lines = Lines::default();
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            self.write(&buffer[..n]);
            lines.push(&buffer[..n], |line| {
                self.logs.push(self.source, self.level, line);
            });
        }
        if let Some(line) = lines.finish() {
            self.logs.push(self.source, self.level, line);
        }
    }

    /// A full disk ends the file and not the script.
    fn write(&self, bytes: &[u8]) {
        let mut file = self.file.lock();
        if file
            .as_mut()
            .is_some_and(|file| file.write_all(bytes).is_err())
        {
            tracing::warn!("a script's log file can no longer be written");
            *file = None;
        }
    }
}
