//! Opening a file to send it to a caller.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{FileError, media};

/// Bytes sent of a file that does not know its length, as those in `/proc`.
const MAX_UNKNOWN: u64 = 64 * 1024 * 1024;

/// A part of a file that is ready to be sent.
#[derive(Debug)]
pub struct Part {
    /// Stands at the first byte.
    pub file: File,
    /// Bytes to send at most.
    pub bytes: u64,
    /// Whether there are as many as that.
    pub exact: bool,
    /// Media type by the file's name.
    pub media_type: &'static str,
}

/// Opens a regular file; anything else is refused without waiting for it.
pub fn open(path: &str) -> Result<(File, std::fs::Metadata, PathBuf), FileError> {
    let path = super::clean(path)?;
    let (file, metadata) = open_regular(&path)?;
    Ok((file, metadata, path))
}

/// As [`open`], for a path that is known to be good.
pub fn open_regular(path: &Path) -> Result<(File, std::fs::Metadata), FileError> {
    let failed = |error: std::io::Error| FileError::io("open", path, &error);
    let file = OpenOptions::new()
        .read(true)
        // A pipe without a writer would keep us waiting.
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(FileError::invalid(format!(
            "open {}: not a file",
            path.display()
        )));
    }
    Ok((file, metadata))
}

/// `limit` bytes from `offset`, or all for a limit of zero.
pub fn part(path: &str, offset: u64, limit: u64) -> Result<Part, FileError> {
    let (mut file, metadata, path) = open(path)?;
    let failed = |error: std::io::Error| FileError::io("read", &path, &error);
    if offset > 0 {
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    }
    let size = metadata.len();
    let rest = size.saturating_sub(offset);
    let (bytes, exact) = match (size, limit) {
        (0, 0) => (MAX_UNKNOWN, false),
        (0, limit) => (limit.min(MAX_UNKNOWN), false),
        (_, 0) => (rest, true),
        (_, limit) => (rest.min(limit), true),
    };
    Ok(Part {
        file,
        bytes,
        exact,
        media_type: media::of(&path),
    })
}
