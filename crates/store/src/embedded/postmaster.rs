//! The running postmaster: its log, its restarts, its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr};
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use super::EmbeddedError;
use super::cluster::Cluster;

/// How long it may take to answer, crash recovery included.
const START: Duration = Duration::from_mins(2);
/// Pause between attempts to connect.
const POLL: Duration = Duration::from_millis(10);
/// How long a clean stop may take.
const STOP: Duration = Duration::from_secs(30);
/// Pause before a dead postmaster is started again.
const RESTART: Duration = Duration::from_millis(500);
/// Last lines of its log, for the error when it does not start.
const LAST_LINES: usize = 20;
/// Longest line of its log that is kept.
const MAX_LINE: usize = 1000;

type Lines = Arc<Mutex<VecDeque<String>>>;

/// A supervised postmaster.
pub(super) struct Postmaster {
    pid: Arc<Mutex<Option<u32>>>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Postmaster {
    /// Starts it and waits until it answers.
    pub(super) async fn start(cluster: Cluster, url: &str) -> Result<Self, EmbeddedError> {
        let lines = Lines::default();
        let mut child = run(&cluster, &lines)?;
        let ready = async {
            while tokio_postgres::connect(url, NoTls).await.is_err() {
                tokio::time::sleep(POLL).await;
            }
        };
        let failed = || EmbeddedError::Failed {
            program: "postgres",
            output: lines.lock().iter().cloned().collect::<Vec<_>>().join("\n"),
        };
        tokio::select! {
            // Before anything else: a dead one never answers.
            biased;
            _ = child.wait() => {
                // Its last words may still be in the pipe.
                tokio::time::sleep(POLL).await;
                return Err(failed());
            }
            () = ready => {}
            () = tokio::time::sleep(START) => {
                end(&mut child).await;
                return Err(failed());
            }
        }
        let pid = Arc::new(Mutex::new(child.id()));
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervise(cluster, child, lines, pid.clone(), stop.clone()));
        Ok(Postmaster { pid, stop, task })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        *self.pid.lock()
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        // It fails only by a panic, and then there is nothing left to stop.
        let _ = self.task.await;
    }
}

fn run(cluster: &Cluster, lines: &Lines) -> Result<Child, EmbeddedError> {
    let mut child = cluster.postgres()?;
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(log(stderr, lines.clone()));
    }
    Ok(child)
}

async fn supervise(
    cluster: Cluster,
    mut child: Child,
    lines: Lines,
    pid: Arc<Mutex<Option<u32>>>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                end(&mut child).await;
                return;
            }
            status = child.wait() => {
                *pid.lock() = None;
                let status = status.map_or_else(|e| e.to_string(), |s| s.to_string());
                tracing::error!(status, "embedded PostgreSQL died; starting it again");
            }
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RESTART) => {}
            }
            match run(&cluster, &lines) {
                Ok(next) => {
                    child = next;
                    *pid.lock() = child.id();
                    break;
                }
                Err(error) => tracing::error!(%error, "embedded PostgreSQL does not start"),
            }
        }
    }
}

/// A fast shutdown, then harder ones.
async fn end(child: &mut Child) {
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        if let Some(pid) = child.id() {
            // Gone already is as good.
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        }
        if tokio::time::timeout(STOP, child.wait()).await.is_ok() {
            return;
        }
    }
    let _ = child.kill().await;
}

/// Its log, in ours.
async fn log(stderr: ChildStderr, last: Lines) {
    let mut lines = BufReader::new(stderr).lines();
    loop {
        let mut line = match lines.next_line().await {
            Ok(Some(line)) => line,
            // A line that is no UTF-8; the next may be.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => continue,
            Ok(None) | Err(_) => return,
        };
        line.truncate(line.floor_char_boundary(MAX_LINE));
        if ["PANIC:", "FATAL:", "WARNING:"]
            .iter()
            .any(|level| line.starts_with(level))
        {
            tracing::warn!(target: "postgres", "{line}");
        } else {
            tracing::debug!(target: "postgres", "{line}");
        }
        let mut last = last.lock();
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
}
