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

    /// What came of the job has arrived where it belongs: the directory goes with its last user.
    pub fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
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

/// Writes a file that only we may read. It is written beside its place and then renamed: a full
/// disk or a killed process leaves the old content or the new, never half of it.
pub(super) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut half = path.to_owned().into_os_string();
    half.push(".half");
    let half = PathBuf::from(half);
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&half)?;
        file.write_all(content)?;
        fs::rename(&half, path)
    };
    write().inspect_err(|_| {
        // Of no use to anybody, and the disk may be full.
        let _ = fs::remove_file(&half);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_takes_nothing_away() {
        let dir = tempfile::tempdir().unwrap();
        let workshop = Workshop::new(dir.path().join("work")).unwrap();
        let session = workshop.open("job", Kind::Build).unwrap();
        session.write_state(b"{}").unwrap();
        let half = session.template().join("terraform.tfstate.half");
        std::os::unix::fs::symlink("/dev/full", &half).unwrap();
        let error = session.write_state(b"{\"serial\":2}").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(session.read_state().unwrap(), b"{}");
        assert!(!is_full(dir.path()));
    }
}
