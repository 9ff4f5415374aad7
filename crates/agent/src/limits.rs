//! The limit on open files: a thousand sessions need several thousands, and most
//! systems allow a process a thousand unless it asks for more. What the agent
//! starts gets the limit that the agent was started with: old programs fail or
//! become slow with a large one.

use std::io;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The limits as they were: soft and hard.
static BEFORE: OnceLock<(u64, u64)> = OnceLock::new();

/// Raises the limit of this process as far as is allowed.
pub fn raise() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if soft < hard && BEFORE.set((soft, hard)).is_ok() {
        // With the old limit, fewer sessions fit; nothing else depends on it.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Restores the limit in a process that is about to become another program. Only
/// a system call: this runs between fork and exec.
pub fn restore() -> io::Result<()> {
    if let Some((soft, hard)) = BEFORE.get() {
        setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard)?;
    }
    Ok(())
}
