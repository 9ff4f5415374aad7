//! Packet numbers and status codes, and the shapes of answers.

use std::io;

use crate::ssh::wire::{Malformed, Write};

pub const INIT: u8 = 1;
pub const VERSION: u8 = 2;
pub const OPEN: u8 = 3;
pub const CLOSE: u8 = 4;
pub const READ: u8 = 5;
pub const WRITE: u8 = 6;
pub const LSTAT: u8 = 7;
pub const FSTAT: u8 = 8;
pub const SETSTAT: u8 = 9;
pub const FSETSTAT: u8 = 10;
pub const OPENDIR: u8 = 11;
pub const READDIR: u8 = 12;
pub const REMOVE: u8 = 13;
pub const MKDIR: u8 = 14;
pub const RMDIR: u8 = 15;
pub const REALPATH: u8 = 16;
pub const STAT: u8 = 17;
pub const RENAME: u8 = 18;
pub const READLINK: u8 = 19;
pub const SYMLINK: u8 = 20;
pub const STATUS: u8 = 101;
pub const HANDLE: u8 = 102;
pub const DATA: u8 = 103;
pub const NAME: u8 = 104;
pub const ATTRS: u8 = 105;
pub const EXTENDED: u8 = 200;
pub const EXTENDED_REPLY: u8 = 201;

/// Status codes of the draft's section 7.
pub const OK: u32 = 0;
const EOF: u32 = 1;
const NO_SUCH_FILE: u32 = 2;
const PERMISSION_DENIED: u32 = 3;
const FAILURE: u32 = 4;
const BAD_MESSAGE: u32 = 5;
const UNSUPPORTED: u32 = 8;

/// Why a request failed.
#[derive(Debug)]
pub enum Failure {
    /// No more data or entries.
    End,
    /// The packet could not be read.
    BadMessage,
    /// Nothing of the kind exists here.
    Unsupported,
    /// No such handle.
    BadHandle,
    /// Too many open handles.
    TooMany,
    /// The system refused.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<nix::Error> for Failure {
    fn from(error: nix::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::BadMessage
    }
}

impl Failure {
    /// The code and text for the client.
    pub fn status(&self) -> (u32, String) {
        match self {
            Self::End => (EOF, "end of file".into()),
            Self::BadMessage => (BAD_MESSAGE, "malformed request".into()),
            Self::Unsupported => (UNSUPPORTED, "operation not supported".into()),
            Self::BadHandle => (FAILURE, "no such handle".into()),
            Self::TooMany => (FAILURE, "too many open files; close some first".into()),
            Self::Io(error) => {
                let code = match error.kind() {
                    io::ErrorKind::NotFound => NO_SUCH_FILE,
                    io::ErrorKind::PermissionDenied => PERMISSION_DENIED,
                    _ => FAILURE,
                };
                (code, error.to_string())
            }
        }
    }
}

/// A status answer.
pub fn status(id: u32, code: u32, text: &str) -> Vec<u8> {
    let mut out = answer(STATUS, id);
    out.put_number(code);
    out.put_string(text.as_bytes());
    out.put_string(b"en");
    out
}

/// The start of an answer.
pub fn answer(kind: u8, id: u32) -> Vec<u8> {
    let mut out = vec![kind];
    out.put_number(id);
    out
}
