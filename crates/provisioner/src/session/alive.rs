//! Whether a run that another process of ours started is still going, told by a note on the disk.

use std::fs;
use std::io;
use std::path::Path;

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
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().ends_with(SUFFIX))
        .filter_map(|e| fs::read_to_string(e.path()).ok())
        .any(|text| {
            let (id, noted) = text.split_once(' ').unwrap_or_default();
            // Ids are used again; the time of birth tells whether it is the same process.
            id.parse()
                .ok()
                .and_then(born)
                .is_some_and(|born| born == noted)
        })
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
