//! Where the agent logs to: standard error, and files that do not grow for ever.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

/// A log file is put aside at this size.
const MAX_SIZE: u64 = 5 * 1024 * 1024;
/// Files that were put aside are kept up to this number.
const MAX_FILES: usize = 10;

/// Where logs of each form go; empty: nowhere.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    /// For people.
    pub human: &'a str,
    /// One JSON object a line.
    pub json: &'a str,
    /// The same with the names that Google Cloud knows.
    pub stackdriver: &'a str,
    /// Directory of the agent's own log, which is optional.
    pub directory: &'a Path,
}

/// Starts logging. An output that cannot be opened is an error; the file in the
/// log directory is optional.
pub fn init(to: Outputs<'_>, verbose: bool) -> io::Result<()> {
    let Outputs {
        human,
        json,
        stackdriver,
        directory,
    } = to;
    let level = if verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    // Of libraries, only what is wrong.
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        // Calls it an error when a peer is idle or a handshake is repeated.
        .with_target("boringtun", LevelFilter::OFF)
        .with_targets(["agent", "tunnel", "rpc", "client", "cli"].map(|name| (name, level)));
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    // A log that cannot be written is no reason to end: telling so on standard error panics when that
    // fails too, as on a full disk.
    let plain = || {
        tracing_subscriber::fmt::layer()
            .log_internal_errors(false)
            .with_ansi(false)
    };
    if human == "/dev/stderr" {
        layers.push(plain().with_writer(io::stderr).boxed());
    } else if !human.is_empty() {
        layers.push(plain().with_writer(Rotating::open(human.into())?).boxed());
    }
    if json == "/dev/stderr" {
        layers.push(plain().json().with_writer(io::stderr).boxed());
    } else if !json.is_empty() {
        layers.push(
            plain()
                .json()
                .with_writer(Rotating::open(json.into())?)
                .boxed(),
        );
    }
    if stackdriver == "/dev/stderr" {
        layers.push(crate::stackdriver::layer(io::stderr));
    } else if !stackdriver.is_empty() {
        layers.push(crate::stackdriver::layer(Rotating::open(
            stackdriver.into(),
        )?));
    }
    match Rotating::open(directory.join("coder-agent.log")) {
        Ok(file) => layers.push(plain().with_writer(file).boxed()),
        Err(error) => eprintln!("no log file in {}: {error}", directory.display()),
    }
    tracing_subscriber::registry()
        .with(layers.with_filter(filter))
        .try_init()
        .map_err(io::Error::other)
}

/// A file that is put aside when it has grown large.
#[derive(Clone)]
struct Rotating(Arc<Mutex<Inner>>);

struct Inner {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Rotating {
    fn open(path: PathBuf) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = append(&path)?;
        let size = file.metadata()?.len();
        Ok(Self(Arc::new(Mutex::new(Inner { path, file, size }))))
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

impl Inner {
    /// `x.log` becomes `x.log.1`, and so on; the oldest is dropped.
    fn rotate(&mut self) -> io::Result<()> {
        if !self.path.metadata()?.is_file() {
            return Ok(());
        }
        let numbered = |n: usize| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        for n in (1..MAX_FILES).rev() {
            if numbered(n).exists() {
                fs::rename(numbered(n), numbered(n + 1))?;
            }
        }
        fs::rename(&self.path, numbered(1))?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A panic while logging leaves nothing half done that matters here.
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.size >= MAX_SIZE {
            // If it cannot be put aside, it grows on: logs are worth more.
            let _ = inner.rotate();
        }
        let n = inner.file.write(bytes)?;
        inner.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Rotating {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_put_aside_and_old_ones_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut log = Rotating::open(path.clone()).unwrap();
        for n in 0..MAX_FILES + 3 {
            writeln!(log, "{n}").unwrap();
            log.0.lock().unwrap().size = MAX_SIZE;
        }
        let files = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, MAX_FILES + 1);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{}\n", MAX_FILES + 2)
        );
    }
}
