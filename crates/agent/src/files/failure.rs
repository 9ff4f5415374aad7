//! What can be wrong with a file that someone asks for, in words for that person.

use std::io;
use std::path::Path;

use nix::errno::Errno;

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller asks for something that makes no sense.
    Invalid,
    /// There is no such file.
    Missing,
    /// This account may not.
    Forbidden,
    /// More than is taken at once.
    TooLarge,
    /// The system failed.
    System,
}

/// A failure with its reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FileError {
    /// Whose fault it is.
    pub kind: Kind,
    /// What is wrong, with the path.
    pub text: String,
}

impl FileError {
    /// A request that makes no sense.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Invalid,
            text: text.into(),
        }
    }

    /// More than is taken at once.
    pub fn too_large(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::TooLarge,
            text: text.into(),
        }
    }

    /// `verb` could not be done to `path`.
    pub fn io(verb: &str, path: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::Missing,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Forbidden,
            io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename => Kind::Invalid,
            _ => Kind::System,
        };
        Self {
            kind,
            text: format!("{verb} {}: {}", path.display(), reason(error)),
        }
    }
}

/// The system's own words, without the number of the error.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_lowercase(),
        None => error.to_string(),
    }
}
