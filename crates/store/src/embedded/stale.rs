//! What a killed server leaves behind: its postmaster, or only its lock file.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::EmbeddedError;

/// How long an orphaned postmaster may take to end, per signal.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Ends an orphaned postmaster of this data and clears a lock file that
/// belongs to no postmaster.
pub(super) async fn clear(data: &Path) -> Result<(), EmbeddedError> {
    let lock = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&lock) else {
        return Ok(());
    };
    let pid = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .unwrap_or(0);
    if !serves(pid, data) {
        // The process died, or its number belongs to another program by now,
        // which PostgreSQL itself could not tell.
        let removed = std::fs::remove_file(&lock);
        return match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(EmbeddedError::io("removing", &lock)(error))
            }
            _ => Ok(()),
        };
    }
    if parent(pid).is_some_and(|parent| parent != 1 && is_server(parent)) {
        return Err(EmbeddedError::InUse {
            path: data.to_owned(),
            pid,
        });
    }
    tracing::warn!(
        pid,
        "embedded PostgreSQL: ending the postmaster of a server that was killed"
    );
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
        // Gone already is as good.
        let _ = kill(Pid::from_raw(pid), signal);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if !serves(pid, data) {
                let _ = std::fs::remove_file(&lock);
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Err(EmbeddedError::InUse {
        path: data.to_owned(),
        pid,
    })
}

/// Whether the process is a postmaster that works in this data directory.
fn serves(pid: i32, data: &Path) -> bool {
    if pid <= 1 {
        return false;
    }
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let cwd = std::fs::metadata(format!("/proc/{pid}/cwd"));
    let same_place = match (cwd, std::fs::metadata(data)) {
        (Ok(theirs), Ok(ours)) => same(&theirs, &ours),
        _ => false,
    };
    name.trim() == "postgres" && same_place
}

fn same(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

fn parent(pid: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))?
        .trim()
        .parse()
        .ok()
}

/// Whether the process runs the same program as we do: a live server.
fn is_server(pid: i32) -> bool {
    let exe = |pid: &str| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    exe(&pid.to_string()).is_some_and(|theirs| Some(theirs) == exe("self"))
}
