//! Sessions that a killed process left behind.
//!
//! A Terraform run goes on when the server is killed, and its state then lies in a session that
//! nobody reads. At the next start it is found here, so that the job can end truthfully and what
//! was created is not forgotten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::Workshop;
use super::alive;
use super::directory::{lock, remove};
use super::state::state_left;

/// How long an apply that is still going is waited for, before it is asked to end …
const WAIT: Duration = Duration::from_mins(10);
/// … and for how long then, before it is ended by force.
const GRACE: Duration = Duration::from_mins(1);
/// The run that changes infrastructure, and so must write its state. Others only find things out.
const APPLY: &str = "apply";
const POLL: Duration = Duration::from_millis(200);
const NOTE: &str = "job.json";

/// What kind of job a session was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A workspace build.
    Build,
    /// A template import.
    Import,
    /// A dry run.
    DryRun,
}

/// What a session notes about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    job_id: String,
    kind: Kind,
}

impl Note {
    pub(super) fn new(job_id: &str, kind: Kind) -> Self {
        Self {
            job_id: job_id.to_owned(),
            kind,
        }
    }

    pub(super) fn write(&self, root: &Path) -> io::Result<()> {
        fs::write(root.join(NOTE), serde_json::to_vec(self)?)
    }
}

/// A session that was left behind. It is removed when this is dropped after [`Left::done`].
#[derive(Debug)]
pub struct Left {
    root: PathBuf,
    /// The job it was for.
    pub job_id: String,
    /// Of which kind that was.
    pub kind: Kind,
    _lock: nix::fcntl::Flock<fs::File>,
}

impl Workshop {
    /// All sessions on which no process works any more. Those that tell no job are removed.
    pub fn left_behind(&self) -> Vec<Left> {
        let mut found = Vec::new();
        for root in self.sessions() {
            let Ok(lock) = lock(&root) else {
                continue; // A process of this machine works on it.
            };
            let note = fs::read(root.join(NOTE))
                .ok()
                .and_then(|text| serde_json::from_slice::<Note>(&text).ok());
            match note {
                Some(note) => found.push(Left {
                    root,
                    job_id: note.job_id,
                    kind: note.kind,
                    _lock: lock,
                }),
                None => remove(&root),
            }
        }
        found
    }
}

impl Left {
    /// Ends runs that change nothing: nobody reads any more what they find out.
    pub fn end_plans(&self) {
        alive::signal(&self.root, Signal::SIGKILL, |label| label != APPLY);
    }

    /// The state that the session's runs left. An apply that still goes on is waited for, for a
    /// bounded time; other runs are ended.
    ///
    /// # Errors
    /// When there is a state but none that can be read, see
    /// [`Session::state_left`](super::Session::state_left).
    pub async fn state(&self) -> io::Result<Vec<u8>> {
        self.end_plans();
        for (patience, then) in [(WAIT, Signal::SIGINT), (GRACE, Signal::SIGKILL)] {
            if self.quiet_within(patience).await {
                break;
            }
            alive::signal(&self.root, then, |_| true);
        }
        state_left(&self.root)
    }

    /// Waits until no run goes on; whether that came in time.
    async fn quiet_within(&self, patience: Duration) -> bool {
        let mut waited = Duration::ZERO;
        while alive::any(&self.root) {
            if waited >= patience {
                return false;
            }
            tokio::time::sleep(POLL).await;
            waited += POLL;
        }
        true
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Removes the session.
    pub fn done(self) {
        remove(&self.root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finds_what_a_dead_process_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let workshop = Workshop::new(dir.path().join("work")).unwrap();
        let alive = workshop.open("alive", Kind::Build).unwrap();
        assert!(workshop.left_behind().is_empty());
        alive.write_state(b"{}").unwrap();
        let root = alive.root().to_owned();
        // What a kill does: the lock goes, the directory stays.
        let copy = dir.path().join("work/session-dead");
        let status = std::process::Command::new("cp")
            .arg("-r")
            .args([&root, &copy])
            .status()
            .unwrap();
        assert!(status.success());
        let left = workshop.left_behind();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].job_id, "alive");
        assert_eq!(left[0].state().await.unwrap(), b"{}");
        left.into_iter().for_each(Left::done);
        assert!(!copy.exists());
        alive.done();
        drop(alive);
        assert!(!root.exists());
    }

    #[test]
    fn garbage_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let workshop = Workshop::new(dir.path().to_owned()).unwrap();
        fs::create_dir(dir.path().join("session-x")).unwrap();
        fs::write(dir.path().join("session-x/job.json"), "not json").unwrap();
        assert!(workshop.left_behind().is_empty());
        assert!(!dir.path().join("session-x").exists());
    }
}
