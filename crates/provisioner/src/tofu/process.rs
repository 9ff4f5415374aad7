//! One run of the program: started in a process group of its own, its output followed, ended when
//! the job is cancelled.
//!
//! Output goes to files which we read as they grow, not to pipes. So a process that the program
//! leaves running in the background cannot keep the run open, nobody blocks on a full pipe, and a
//! run outlives a killed server long enough to write its state (see `session::recovery`).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::RunError;
use crate::session::alive::notes_itself;

/// How often a growing output file is looked at. Short against the 100 ms of a whole run.
const POLL: Duration = Duration::from_millis(5);
/// And once a run takes long, when nobody can see the difference.
const SLOW_POLL: Duration = Duration::from_millis(50);
/// From interrupt to kill for a run that prints without end.
const FLOOD_GRACE: Duration = Duration::from_secs(2);
/// Bytes read before bounds are looked at again.
const READ_AT_ONCE: u64 = 256 << 10;
/// Bytes of one line that are kept; the rest of the line is dropped.
const MAX_LINE: usize = 1 << 20;
/// Bytes of the error output kept for the job's error.
const STDERR_TAIL: usize = 8 << 10;

/// Bounds of one run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the polite interrupt to the kill. Terraform uses it to finish what it is creating and
    /// to write its state.
    pub interrupt_grace: Duration,
    /// Bytes that it may print.
    pub output_bytes: u64,
    /// How long it may take.
    pub duration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            interrupt_grace: Duration::from_mins(3),
            output_bytes: 128 << 20,
            duration: Duration::from_hours(24),
        }
    }
}

/// What to run.
#[derive(Debug)]
pub struct Run<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments; the first is the command.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: &'a [(String, OsString)],
    /// Its directory.
    pub directory: &'a Path,
    /// Directory for the output files, which are named after `label`.
    pub output: &'a Path,
    /// Tells concurrent runs of one session apart.
    pub label: &'a str,
    /// Bounds.
    pub limits: Limits,
}

/// A run that ended well.
#[derive(Debug)]
pub struct Finished {
    /// The file that holds what it printed.
    pub stdout: PathBuf,
    /// When it started.
    pub started: chrono::DateTime<chrono::Utc>,
}

/// One line, and where it was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Standard output.
    Out(&'a [u8]),
    /// Standard error.
    Err(&'a [u8]),
}

/// Runs the program to its end and hands each line to `on_line` as soon as it is there.
///
/// # Errors
/// [`RunError::Failed`] for a bad exit status, without the diagnostics, which only the reader of
/// the lines knows.
pub async fn run(
    run: Run<'_>,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(Line<'_>),
) -> Result<Finished, RunError> {
    let command = run
        .args
        .first()
        .map(|a| a.to_string_lossy().into_owned())
        .unwrap_or_default();
    if cancel.is_cancelled() {
        return Err(RunError::Cancelled { killed: false });
    }
    let stdout = run.output.join(format!("{}.out", run.label));
    let stderr = run.output.join(format!("{}.err", run.label));
    let create = |path: &Path| {
        File::create(path).map_err(|e| RunError::io(format!("cannot write {}", path.display()), e))
    };
    let started = chrono::Utc::now();
    let mut child = Group(spawn(&run, create(&stdout)?, create(&stderr)?).await?);
    let mut out = Follower::open(&stdout)?;
    let mut err = Follower::open(&stderr)?;
    let mut tail: Vec<u8> = Vec::new();
    let mut ended_by: Option<RunError> = None;
    let mut kill_at: Option<Instant> = None;
    let begin = Instant::now();
    let status = loop {
        let poll = if begin.elapsed() < Duration::from_secs(2) {
            POLL
        } else {
            SLOW_POLL
        };
        let done = tokio::select! {
            status = child.0.wait() => {
                Some(status.map_err(|e| RunError::io("cannot wait for terraform", e))?)
            }
            () = cancel.cancelled(), if ended_by.is_none() => {
                child.signal(Signal::SIGINT);
                kill_at = Some(Instant::now() + run.limits.interrupt_grace);
                ended_by = Some(RunError::Cancelled { killed: false });
                None
            }
            () = tokio::time::sleep(poll) => None,
        };
        out.read(|line| on_line(Line::Out(line)))?;
        err.read(|line| {
            keep_tail(&mut tail, line);
            on_line(Line::Err(line));
        })?;
        if let Some(status) = done {
            break status;
        }
        let printed = out.size().max(err.size());
        if printed > run.limits.output_bytes
            && !matches!(ended_by, Some(RunError::TooMuchOutput { .. }))
        {
            ended_by = Some(RunError::TooMuchOutput {
                command: command.clone(),
                limit: run.limits.output_bytes,
            });
            child.signal(Signal::SIGINT);
            // What prints without end fills the disk meanwhile.
            let grace = run.limits.interrupt_grace.min(FLOOD_GRACE);
            kill_at = Some(Instant::now() + grace);
        }
        if ended_by.is_none() && begin.elapsed() > run.limits.duration {
            ended_by = Some(RunError::TooLong {
                command: command.clone(),
                seconds: run.limits.duration.as_secs(),
            });
            child.signal(Signal::SIGINT);
            kill_at = Some(Instant::now() + run.limits.interrupt_grace);
        }
        if kill_at.is_some_and(|at| Instant::now() >= at) {
            kill_at = None;
            child.signal(Signal::SIGKILL);
            if let Some(RunError::Cancelled { killed }) = &mut ended_by {
                *killed = true;
            }
        }
    };
    if matches!(ended_by, Some(RunError::TooMuchOutput { .. })) {
        // It may be much more by now, and nobody will read it.
        let _ = (File::create(&stdout), File::create(&stderr));
    } else {
        out.finish(|line| on_line(Line::Out(line)));
        err.finish(|line| {
            keep_tail(&mut tail, line);
            on_line(Line::Err(line));
        });
    }
    if let Some(error) = ended_by {
        return Err(error);
    }
    if !status.success() {
        return Err(RunError::Failed {
            command,
            status: describe(status),
            errors: Vec::new(),
            stderr: String::from_utf8_lossy(&tail).into_owned(),
        });
    }
    Ok(Finished { stdout, started })
}

fn keep_tail(tail: &mut Vec<u8>, line: &[u8]) {
    tail.extend_from_slice(&line[..line.len().min(STDERR_TAIL)]);
    tail.push(b'\n');
    if tail.len() > 2 * STDERR_TAIL {
        tail.drain(..tail.len() - STDERR_TAIL);
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "killed by signal 9 (is the machine out of memory?)".to_owned(),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

async fn spawn(run: &Run<'_>, stdout: File, stderr: File) -> Result<Child, RunError> {
    let failed = |e| RunError::io(format!("cannot run {}", run.program.display()), e);
    // Another thread that forks while our program file is still open for writing makes the start
    // fail with "text file busy" for a moment.
    for attempt in 0..5 {
        let mut command = std::process::Command::new(run.program);
        command
            .args(&run.args)
            .env_clear()
            .envs(run.env.iter().map(|(k, v)| (k, v)))
            .current_dir(run.directory)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().map_err(failed)?)
            .stderr(stderr.try_clone().map_err(failed)?)
            .process_group(0);
        notes_itself(&mut command, run.output, run.label);
        match Command::from(command).spawn() {
            Err(e) if e.raw_os_error() == Some(libc::ETXTBSY) => {
                tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
            }
            other => return other.map_err(failed),
        }
    }
    Err(failed(io::Error::from_raw_os_error(libc::ETXTBSY)))
}

/// A child that leads a process group, which is interrupted when it is dropped early.
struct Group(Child);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            // Fails only if the group is gone already.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Only if this process ends first: then Terraform finishes what it is doing and writes its
        // state, which the next start finds. After `wait` the child has no id, and nothing happens.
        self.signal(Signal::SIGINT);
    }
}

/// Reads a growing file line by line.
struct Follower {
    file: File,
    partial: Vec<u8>,
    /// The rest of an overlong line is being dropped.
    dropping: bool,
    total: u64,
    buffer: Vec<u8>,
}

impl Follower {
    fn open(path: &Path) -> Result<Self, RunError> {
        let file = File::open(path)
            .map_err(|e| RunError::io(format!("cannot read {}", path.display()), e))?;
        Ok(Self {
            file,
            partial: Vec::new(),
            dropping: false,
            total: 0,
            buffer: vec![0; 64 << 10],
        })
    }

    /// Reads what is new and answers how many bytes have been read in all.
    ///
    /// It stops after [`READ_AT_ONCE`] even if there is more: a program may print faster than we
    /// read, and the bounds must be looked at in between.
    fn read(&mut self, mut on_line: impl FnMut(&[u8])) -> Result<u64, RunError> {
        let until = self.total + READ_AT_ONCE;
        while self.total < until {
            let n = match self.file.read(&mut self.buffer) {
                Ok(0) => return Ok(self.total),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(RunError::io("cannot read terraform's output", e)),
            };
            self.total += n as u64;
            let mut rest = &self.buffer[..n];
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let (line, after) = (&rest[..end], &rest[end + 1..]);
                rest = after;
                if std::mem::take(&mut self.dropping) {
                    // The kept start of the line was handed out already.
                } else if self.partial.is_empty() {
                    on_line(line);
                } else {
                    self.partial.extend_from_slice(line);
                    on_line(&self.partial);
                }
                self.partial.clear();
            }
            if !self.dropping {
                self.partial.extend_from_slice(rest);
                if self.partial.len() > MAX_LINE {
                    on_line(&self.partial[..MAX_LINE]);
                    self.partial.clear();
                    self.dropping = true;
                }
            }
        }
        Ok(self.total)
    }

    /// Bytes that were printed, read or not.
    fn size(&self) -> u64 {
        self.file.metadata().map_or(self.total, |m| m.len())
    }

    /// Hands out what is left, with or without an end of line.
    fn finish(&mut self, mut on_line: impl FnMut(&[u8])) {
        let mut seen = self.total;
        // A read error here must not turn a finished run into a failed one.
        while let Ok(total) = self.read(&mut on_line) {
            if std::mem::replace(&mut seen, total) == total {
                break;
            }
        }
        if !self.partial.is_empty() {
            on_line(&self.partial);
            self.partial.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(
        script: &str,
        limits: Limits,
        cancel: &CancellationToken,
    ) -> (Result<Finished, RunError>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = Vec::new();
        let env = vec![("PATH".to_owned(), OsString::from("/usr/bin:/bin"))];
        let outcome = run(
            Run {
                program: Path::new("/bin/sh"),
                args: vec!["-c".into(), script.into()],
                env: &env,
                directory: dir.path(),
                output: dir.path(),
                label: "test",
                limits,
            },
            cancel,
            |line| {
                let (name, bytes) = match line {
                    Line::Out(b) => ("out", b),
                    Line::Err(b) => ("err", b),
                };
                lines.push(format!(
                    "{name} {} {}",
                    bytes.len(),
                    String::from_utf8_lossy(&bytes[..bytes.len().min(20)])
                ));
            },
        )
        .await;
        (outcome, lines)
    }

    #[tokio::test]
    async fn hands_out_lines_of_both_streams() {
        let never = CancellationToken::new();
        let (outcome, mut lines) =
            sh("echo a; echo b >&2; printf c", Limits::default(), &never).await;
        outcome.unwrap();
        lines.sort();
        assert_eq!(lines, ["err 1 b", "out 1 a", "out 1 c"]);
    }

    #[tokio::test]
    async fn a_bad_exit_tells_status_and_stderr() {
        let never = CancellationToken::new();
        let (outcome, _) = sh("echo why >&2; exit 3", Limits::default(), &never).await;
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("exit status 3: why"), "{text}");
        let (outcome, _) = sh("kill -SEGV $$", Limits::default(), &never).await;
        assert!(outcome.unwrap_err().to_string().contains("signal 11"));
    }

    #[tokio::test]
    async fn a_background_process_does_not_hold_the_run() {
        let never = CancellationToken::new();
        let (outcome, _) = sh(
            "sleep 100 & echo $! > pid; echo done",
            Limits::default(),
            &never,
        )
        .await;
        outcome.unwrap();
    }

    #[tokio::test]
    async fn cancelling_interrupts_the_whole_group() {
        let cancel = CancellationToken::new();
        let fire = cancel.clone();
        let script = "trap 'echo bye; exit 1' INT; (trap 'echo child' INT; sleep 50) & \
                      while true; do sleep 0.02; done";
        let stop = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            fire.cancel();
        };
        let ((outcome, lines), ()) = tokio::join!(sh(script, Limits::default(), &cancel), stop);
        assert!(matches!(
            outcome,
            Err(RunError::Cancelled { killed: false })
        ));
        assert!(lines.contains(&"out 3 bye".to_owned()), "{lines:?}");
    }

    #[tokio::test]
    async fn what_does_not_stop_is_killed() {
        let cancel = CancellationToken::new();
        let fire = cancel.clone();
        let limits = Limits {
            interrupt_grace: Duration::from_millis(100),
            ..Limits::default()
        };
        let stop = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            fire.cancel();
        };
        let script = "trap '' INT TERM; while true; do sleep 0.02; done";
        let ((outcome, _), ()) = tokio::join!(sh(script, limits, &cancel), stop);
        assert!(matches!(outcome, Err(RunError::Cancelled { killed: true })));
    }

    #[tokio::test]
    async fn endless_output_is_stopped() {
        let never = CancellationToken::new();
        let limits = Limits {
            output_bytes: 4 << 20,
            interrupt_grace: Duration::from_millis(50),
            ..Limits::default()
        };
        let (outcome, _) = sh("exec yes", limits, &never).await;
        assert!(matches!(outcome, Err(RunError::TooMuchOutput { .. })));
    }

    #[tokio::test]
    async fn an_endless_line_is_cut() {
        let never = CancellationToken::new();
        let script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end";
        let (outcome, lines) = sh(script, Limits::default(), &never).await;
        outcome.unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("out 1048576 "));
        assert_eq!(lines[1], "out 3 end");
    }

    #[tokio::test]
    async fn a_hanging_run_has_an_end() {
        let never = CancellationToken::new();
        let limits = Limits {
            duration: Duration::from_millis(150),
            interrupt_grace: Duration::from_millis(50),
            ..Limits::default()
        };
        let (outcome, _) = sh("sleep 60", limits, &never).await;
        assert!(matches!(outcome, Err(RunError::TooLong { .. })));
    }
}
