//! Making and removing a job's directory.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{Flock, FlockArg};

use super::recovery::{Kind, Note};

const PREFIX: &str = "session-";

/// Where sessions are made.
#[derive(Debug, Clone)]
pub struct Workshop {
    directory: PathBuf,
}

/// A job's directory. It stays on the disk until [`Session::done`] says that nobody needs it any
/// more: if this process ends before, the next one finds it.
#[derive(Debug)]
pub struct Session {
    root: PathBuf,
    done: AtomicBool,
    /// Held as long as this process works on the job, and let go by its death.
    _lock: Flock<fs::File>,
}

impl Workshop {
    /// Sessions below `directory`, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(directory: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)?;
        Ok(Self { directory })
    }

    /// A new session for a job.
    ///
    /// # Errors
    /// When the disk is full or not writable.
    pub fn open(&self, job_id: &str, kind: Kind) -> io::Result<Session> {
        let root = self
            .directory
            .join(format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()));
        fs::DirBuilder::new().mode(0o700).create(&root)?;
        let lock = lock(&root)?;
        let session = Session {
            root,
            done: AtomicBool::new(false),
            _lock: lock,
        };
        fs::create_dir(session.template())?;
        Note::new(job_id, kind).write(&session.root)?;
        Ok(session)
    }

    /// The directories of all sessions.
    pub(super) fn sessions(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX))
            .map(|e| e.path())
            .collect()
    }
}

/// Takes the lock that says that a process works on this session.
pub(super) fn lock(root: &Path) -> io::Result<Flock<fs::File>> {
    let file = fs::File::create(root.join("lock"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| e.into())
}

impl Session {
    /// The unpacked template, in which Terraform runs.
    pub fn template(&self) -> PathBuf {
        template(&self.root)
    }

    /// Files that the template must not see.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Terraform's state.
    pub fn state_file(&self) -> PathBuf {
        state_file(&self.root)
    }

    /// What came of the job has arrived where it belongs: the directory goes with its last user.
    pub fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// Puts down the state from which a build starts.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write_state(&self, state: &[u8]) -> io::Result<()> {
        if state.is_empty() {
            return Ok(());
        }
        write_private(&self.state_file(), state)
    }

    /// The state as it is now; empty if there is none.
    ///
    /// # Errors
    /// When it cannot be read, which must not be mistaken for "no state".
    pub fn read_state(&self) -> io::Result<Vec<u8>> {
        read_state(&self.root)
    }

    /// Writes a file beside the template that only we may read.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write_private(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.root.join(name);
        write_private(&path, content)?;
        Ok(path)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.done.load(Ordering::Relaxed) {
            remove(&self.root);
        }
    }
}

pub(super) fn template(root: &Path) -> PathBuf {
    root.join("template")
}

pub(super) fn state_file(root: &Path) -> PathBuf {
    template(root).join("terraform.tfstate")
}

pub(super) fn read_state(root: &Path) -> io::Result<Vec<u8>> {
    match fs::read(state_file(root)) {
        Ok(state) => Ok(state),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// Removes a session. What a killed process still writes may get in the way for a moment.
pub(super) fn remove(root: &Path) {
    for _ in 0..3 {
        match fs::remove_dir_all(root) {
            Ok(()) => return,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(e) => {
                tracing::warn!("{} cannot be removed: {e}", root.display());
                return;
            }
        }
    }
}

/// Whether the disk below a path has no room left for what a run writes.
pub fn is_full(path: &Path) -> bool {
    const LITTLE: u64 = 1 << 20;
    nix::sys::statvfs::statvfs(path).is_ok_and(|s| {
        let bytes = s.blocks_available().saturating_mul(s.fragment_size());
        bytes < LITTLE
    })
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_not_an_empty_state() {
        let dir = tempfile::tempdir().unwrap();
        let workshop = Workshop::new(dir.path().join("work")).unwrap();
        let session = workshop.open("job", Kind::Build).unwrap();
        std::os::unix::fs::symlink("/dev/full", session.state_file()).unwrap();
        let error = session.write_state(b"{}").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(!is_full(dir.path()));
    }
}
