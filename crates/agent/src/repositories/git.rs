//! Asking git about a working tree, with bounds on time and output and without
//! taking its locks.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::process;

/// How long git may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longer complaints are of no use, in bytes.
const MAX_COMPLAINT: usize = 4096;

/// Why git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be run.
    #[error("git could not be run: {0}")]
    Io(#[from] std::io::Error),
    /// It did not come to an end.
    #[error("git did not answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
    /// It failed.
    #[error("git failed: {0}")]
    Failed(String),
    /// It says more than is wanted.
    #[error("git's answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// What git says in `directory`, of at most `limit` bytes.
pub async fn ask(directory: &Path, arguments: &[&str], limit: usize) -> Result<Vec<u8>, GitError> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(directory)
        // A file monitor would stay behind as a process of ours.
        .args(["-c", "core.fsmonitor=false"])
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(std::io::Error::other("no pipes").into());
    };
    let answer = async {
        let (out, errors) = tokio::try_join!(
            process::first(stdout, limit + 1),
            process::first_of_all(stderr, MAX_COMPLAINT)
        )?;
        if out.len() > limit {
            return Err(GitError::TooLarge(limit));
        }
        if !child.wait().await?.success() {
            let text = String::from_utf8_lossy(&errors).trim().to_owned();
            return Err(GitError::Failed(text));
        }
        Ok(out)
    };
    tokio::time::timeout(TIMEOUT, answer)
        .await
        .map_err(|_| GitError::Timeout)?
}

/// The directory that `path` is, or is in.
pub fn directory(path: &Path) -> Option<&Path> {
    if path.is_dir() {
        Some(path)
    } else {
        path.parent()
    }
}

/// The root of the working tree that holds a directory, if there is one.
pub async fn root(directory: &Path) -> Option<PathBuf> {
    let said = ask(directory, &["rev-parse", "--show-toplevel"], 64 * 1024)
        .await
        .ok()?;
    let text = String::from_utf8(said).ok()?;
    let root = PathBuf::from(text.trim_end_matches('\n'));
    Some(root.canonicalize().unwrap_or(root))
}
