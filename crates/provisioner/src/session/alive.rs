//! Runs that another process of ours started and that still go on, told by notes on the disk.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{SigHandler, Signal, killpg};
use nix::unistd::Pid;

/// How notes end.
const SUFFIX: &str = ".pid";

/// Lets the program of `command` note in `directory`, before it begins, that it is the run called
/// `label`: were it done after the start, one that is killed in between would leave a run that nobody
/// knows of. It begins with the usual meaning of an interrupt too, however this process was started:
/// it could not be called off otherwise.
pub fn notes_itself(command: &mut Command, directory: &Path, label: &str) {
    // What cannot be noted can still be run.
    let note = File::create(directory.join(format!("{label}{SUFFIX}"))).ok();
    #[expect(
        unsafe_code,
        reason = "the only way to do something between fork and exec"
    )]
    // SAFETY: both make system calls only and allocate nothing: what is read and written lies on the
    // stack. The default meaning of a signal runs no code of ours.
    unsafe {
        command.pre_exec(move || {
            nix::sys::signal::signal(Signal::SIGINT, SigHandler::SigDfl)?;
            let _ = note.as_ref().map(write_own);
            Ok(())
        });
    }
}

/// Bytes of a `stat`, of which the name of the program may be 16.
const STAT: usize = 1024;

/// Writes the id of this process and when it was born.
fn write_own(mut note: &File) -> io::Result<()> {
    let mut stat = [0; STAT];
    let length = File::open("/proc/self/stat")?.read(&mut stat)?;
    let stat = str::from_utf8(&stat[..length]).unwrap_or_default();
    let mut text = [0; 64];
    let mut rest = &mut text[..];
    let born = fields(stat).map_or("", |(_, born)| born);
    write!(rest, "{} {born}", std::process::id())?;
    let left = rest.len();
    note.write_all(&text[..text.len() - left])
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
    let (state, born) = fields(&stat)?;
    (state != "Z").then(|| born.to_owned())
}

/// The state and the birth in a `stat`.
fn fields(stat: &str) -> Option<(&str, &str)> {
    // The second field is the program's name in brackets and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?, fields.nth(18)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn only_runs_that_fit_are_signalled() {
        let dir = tempfile::tempdir().unwrap();
        let start = |label: &str| {
            let mut command = Command::new("sleep");
            command.arg("60").process_group(0);
            notes_itself(&mut command, dir.path(), label);
            command.spawn().unwrap()
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
    fn a_program_finds_its_note_when_it_begins() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let script = r#"read -r id born < x.pid; [ "$id" = $$ ] && kill -INT $$"#;
        command.args(["-c", script]).current_dir(dir.path());
        notes_itself(&mut command, dir.path(), "x");
        // It interrupts itself, which it can only where interrupts are not ignored.
        assert_eq!(command.status().unwrap().signal(), Some(2));
    }

    #[test]
    fn tells_the_living_from_the_dead() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!any(dir.path()));
        let mut command = Command::new("sleep");
        notes_itself(command.arg("60"), dir.path(), "x");
        let mut child = command.spawn().unwrap();
        assert!(any(dir.path()));
        let noted = fs::read_to_string(dir.path().join("x.pid")).unwrap();
        let born = born(child.id()).unwrap();
        assert_eq!(noted, format!("{} {born}", child.id()));
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
