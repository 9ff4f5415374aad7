//! Runs that another process of ours started and that still go on, told by notes on the disk.

use std::fs;
use std::io;
use std::path::Path;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How notes end.
const SUFFIX: &str = ".pid";

/// Notes in `directory` that process `id` is the run called `label`.
///
/// # Errors
/// When the disk is full.
pub fn note(directory: &Path, label: &str, id: u32) -> io::Result<()> {
    let born = born(id).unwrap_or_default();
    fs::write(
        directory.join(format!("{label}{SUFFIX}")),
        format!("{id} {born}"),
    )
}

/// Whether any noted run is still going.
pub(super) fn any(directory: &Path) -> bool {
    !running(directory).is_empty()
}

/// Signals the process groups of noted runs that still go on and whose label fits.
pub(super) fn signal(directory: &Path, signal: Signal, fits: impl Fn(&str) -> bool) {
    for (label, id) in running(directory) {
        if fits(&label) {
            // It may have ended by itself in between.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }
}

/// The labels and ids of noted runs that still go on. Each leads a process group of its own.
fn running(directory: &Path) -> Vec<(String, i32)> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let label = name.strip_suffix(SUFFIX)?;
            let text = fs::read_to_string(entry.path()).ok()?;
            let (id, noted) = text.split_once(' ')?;
            let id: u32 = id.parse().ok()?;
            // Ids are used again; the time of birth tells whether it is the same process.
            let same = born(id).is_some_and(|born| born == noted);
            same.then_some((label.to_owned(), i32::try_from(id).ok()?))
        })
        .collect()
}

/// When a process was started, in ticks since the machine was: the 22nd field of its `stat`.
/// `None` if there is none, or it has ended and only waits to be noticed.
fn born(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let born = fields.nth(18)?.to_owned();
    (state != "Z").then_some(born)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_that_fit_are_signalled() {
        use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
        let dir = tempfile::tempdir().unwrap();
        let start = |label: &str| {
            let mut command = std::process::Command::new("sleep");
            let child = command.arg("60").process_group(0).spawn().unwrap();
            note(dir.path(), label, child.id()).unwrap();
            child
        };
        let (mut plan, mut apply) = (start("plan"), start("apply"));
        signal(dir.path(), Signal::SIGKILL, |label| label != "apply");
        assert_eq!(plan.wait().unwrap().signal(), Some(9));
        assert!(apply.try_wait().unwrap().is_none());
        signal(dir.path(), Signal::SIGKILL, |_| true);
        apply.wait().unwrap();
        assert!(!any(dir.path()));
    }

    #[test]
    fn tells_the_living_from_the_dead() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!any(dir.path()));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        note(dir.path(), "x", child.id()).unwrap();
        assert!(any(dir.path()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!any(dir.path()));
        fs::write(dir.path().join("y.pid"), "garbage").unwrap();
        fs::write(
            dir.path().join("z.pid"),
            format!("{} 1", std::process::id()),
        )
        .unwrap();
        assert!(!any(dir.path()));
    }
}
