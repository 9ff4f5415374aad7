//! Standard input and output that never block, where the system can open them once more.
//!
//! Others share these streams: to make them non-blocking would change them under their hands, and to
//! read or write them as they are may block for as long as it likes. A pipe or a terminal can be opened
//! anew, which gives a stream of our own to the same place. What is typed and printed then passes
//! without a thread between, which would have to be woken for each key.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::stat::{SFlag, fstat};

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Reading.
    Input,
    /// Writing.
    Output,
}

/// The same pipe or terminal, not blocking. `None` for anything else, and where the system does not
/// allow it: another user's terminal, a pipe whose other end is gone, no `/proc`.
pub(super) fn reopened(stream: impl AsFd, what: For) -> Option<File> {
    // Elsewhere a descriptor's path leads to the same stream, not to a new one.
    if !cfg!(target_os = "linux") {
        return None;
    }
    let stream = stream.as_fd();
    let kind = SFlag::from_bits_truncate(fstat(stream).ok()?.st_mode) & SFlag::S_IFMT;
    let terminal = kind == SFlag::S_IFCHR && nix::unistd::isatty(stream).unwrap_or(false);
    if kind != SFlag::S_IFIFO && !terminal {
        return None;
    }
    std::fs::OpenOptions::new()
        .read(what == For::Input)
        .write(what == For::Output)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{}", stream.as_raw_fd()))
        .ok()
}
