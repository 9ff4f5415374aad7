//! Runs one command with a time limit and keeps what it said.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// No command of these tests may need longer on a slow machine.
pub const LIMIT: Duration = Duration::from_mins(2);

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    what: String,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Both streams, for searching.
    pub fn all(&self) -> String {
        format!("{}{}", self.text(), self.stderr)
    }

    /// Fails with everything known unless the command exited with `code`.
    pub fn expect_code(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == code,
            "{}: exit code {}, expected {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.what,
            self.code,
            tail(&self.text()),
            tail(&self.stderr)
        );
        Ok(self)
    }

    /// Fails unless the command succeeded.
    pub fn ok(self) -> Result<Self> {
        self.expect_code(0)
    }
}

fn tail(text: &str) -> &str {
    let mut at = text.len().saturating_sub(3000);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    &text[at..]
}

/// A command with an environment of its own.
pub struct Run {
    command: Command,
    input: Vec<u8>,
    limit: Duration,
    what: String,
}

impl Run {
    /// Prepares `program args…`; standard input is empty unless given.
    pub fn new(program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        let what = format!("{command:?}");
        Self {
            command,
            input: Vec::new(),
            limit: LIMIT,
            what,
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Gives standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Sets the time after which the command is killed and the run fails.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs to the end.
    pub fn run(mut self) -> Result<Output> {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| self.what.clone())?;
        let stdin = child.stdin.take();
        let input = std::mem::take(&mut self.input);
        let writer = thread::spawn(move || {
            if let Some(mut stdin) = stdin {
                // A command may end without reading all; that is its right.
                let _ = stdin.write_all(&input);
            }
        });
        let out = child.stdout.take().map(reader);
        let err = child.stderr.take().map(reader);
        let deadline = Instant::now() + self.limit;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                let said = err.as_ref().map(collect).unwrap_or_default();
                bail!(
                    "{}: still running after {:?}; it said: {}",
                    self.what,
                    self.limit,
                    tail(&String::from_utf8_lossy(&said))
                );
            }
            thread::sleep(Duration::from_millis(5));
        };
        let _ = writer.join();
        Ok(Output {
            code: status.code().unwrap_or(-1),
            stdout: out.as_ref().map(collect).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&err.as_ref().map(collect).unwrap_or_default())
                .into_owned(),
            what: self.what,
        })
    }
}

type Reader = std::sync::mpsc::Receiver<Vec<u8>>;

fn reader(mut from: impl Read + Send + 'static) -> Reader {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n) = from.read(&mut buffer) {
            if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Collects until the stream ends. A background process that inherited the
/// stream could hold it open for ever, so silence of two seconds ends it too.
fn collect(reader: &Reader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Ok(part) = reader.recv_timeout(Duration::from_secs(2)) {
        all.extend(part);
    }
    all
}

/// Repeats `probe` until it gives a value, for at most `limit`.
pub fn eventually<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut last = None;
    loop {
        match probe() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        if Instant::now() > deadline {
            match last {
                Some(error) => return Err(error.context(format!("{what}: not within {limit:?}"))),
                None => bail!("{what}: not within {limit:?}"),
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
}
