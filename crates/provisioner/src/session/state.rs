//! Terraform's state in a job's directory: put down before a run, and found again after it,
//! however that ended.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::IgnoredAny;

use super::Session;
use super::directory::{template, write_private};

/// Where a run reads and writes its state.
const STATE: &str = "terraform.tfstate";
/// What the state was before the run wrote to it.
const BACKUP: &str = "terraform.tfstate.backup";
/// Where a run puts its state if it cannot be written where it belongs.
const ERRORED: &str = "errored.tfstate";

impl Session {
    /// Puts down the state from which a build starts.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write_state(&self, state: &[u8]) -> io::Result<()> {
        if state.is_empty() {
            return Ok(());
        }
        write_private(&self.template().join(STATE), state)
    }

    /// The state after a run that succeeded; empty if there is none.
    ///
    /// # Errors
    /// When it cannot be read, which must not be mistaken for "no state".
    pub fn read_state(&self) -> io::Result<Vec<u8>> {
        Ok(read(&self.template(), STATE)?.unwrap_or_default())
    }

    /// The state that a run left which did not succeed, the newest that is whole: where the run
    /// put it in need, where it belongs, or what was before. Empty if there is none.
    ///
    /// # Errors
    /// When there is one but none that can be read: the one from before the job is then not
    /// known to hold, and what is in the directory must stay for somebody to look at.
    pub fn state_left(&self) -> io::Result<Vec<u8>> {
        state_left(self.root())
    }

    /// Removes what a template brings along where runs put their states in need: it would be
    /// taken for theirs.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget_earlier_states(&self) -> io::Result<()> {
        for name in [ERRORED, BACKUP] {
            match fs::remove_file(self.template().join(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}

/// See [`Session::state_left`].
pub(super) fn state_left(root: &Path) -> io::Result<Vec<u8>> {
    let directory = template(root);
    let mut broken = None;
    for name in [ERRORED, STATE, BACKUP] {
        let Some(state) = read(&directory, name)? else {
            continue;
        };
        match serde_json::from_slice::<IgnoredAny>(&state) {
            Ok(_) => {
                if let Some(broken) = broken {
                    tracing::error!("{}: {broken}; {name} takes its place", directory.display());
                }
                return Ok(state);
            }
            // Begun and not written, which says nothing.
            Err(_) if state.trim_ascii().is_empty() => {}
            Err(error) => broken = broken.or(Some(format!("{name} is not whole: {error}"))),
        }
    }
    match broken {
        Some(broken) => Err(io::Error::new(io::ErrorKind::InvalidData, broken)),
        None => Ok(Vec::new()),
    }
}

fn read(directory: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    match fs::read(directory.join(name)) {
        Ok(state) => Ok(Some(state)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_state_is_never_handed_in() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            fs::create_dir_all(template(dir.path())).unwrap();
            fs::write(template(dir.path()).join(name), text).unwrap();
        };
        let left = || state_left(dir.path());
        assert_eq!(left().unwrap(), b"");
        put(STATE, "");
        assert_eq!(left().unwrap(), b"");
        put(STATE, "{\"serial\":3,\"resour");
        assert_eq!(left().unwrap_err().kind(), io::ErrorKind::InvalidData);
        put(BACKUP, "{\"serial\":1}");
        assert_eq!(left().unwrap(), b"{\"serial\":1}");
        put(STATE, "{\"serial\":3}");
        assert_eq!(left().unwrap(), b"{\"serial\":3}");
        put(ERRORED, "{");
        assert_eq!(left().unwrap(), b"{\"serial\":3}");
        put(ERRORED, "{\"serial\":4}");
        assert_eq!(left().unwrap(), b"{\"serial\":4}");
        fs::remove_file(template(dir.path()).join(ERRORED)).unwrap();
        fs::create_dir(template(dir.path()).join(ERRORED)).unwrap();
        assert!(left().is_err());
    }
}
