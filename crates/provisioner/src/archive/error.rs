//! Why an archive was refused.

use std::path::PathBuf;

/// Why an archive was refused or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes are not a readable archive of the expected format.
    #[error("this is not a valid {format} archive: {reason}")]
    Invalid {
        /// `tar` or `zip`.
        format: &'static str,
        /// What the reader stumbled over.
        reason: String,
    },
    /// One entry may not be in a template.
    #[error("the archive entry {path:?} is not allowed: {reason}")]
    Entry {
        /// The entry's path as the archive gives it.
        path: String,
        /// Why it is refused.
        reason: String,
    },
    /// A bound of [`Limits`](super::Limits) was exceeded.
    #[error("the archive is too large: it has more than {limit} {what}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// A directory to be packed holds no template.
    #[error("{} is not a valid template: it has no .tf or .tf.json file at its top", .0.display())]
    NoTemplate(PathBuf),
    /// The local disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file at which it happened.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl ArchiveError {
    pub(super) fn entry(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Entry {
            path: path.into(),
            reason: reason.into(),
        }
    }

    pub(super) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }

    /// Whether the archive is refused for its size, as opposed to its content.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}
