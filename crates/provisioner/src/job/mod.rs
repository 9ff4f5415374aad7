//! Where jobs come from and where results go: the trait [`JobSource`] and its errors.
//!
//! The built-in daemons are given a source that speaks to the database; a daemon on another
//! machine would be given one that speaks DRPC. This module must not know which it is.

mod source;

pub use source::{FileKind, JobSource, SourceError};
