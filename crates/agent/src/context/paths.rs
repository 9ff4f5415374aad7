//! Paths as people write them.

use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::files;

/// An absolute path, or one below `~`, without `.` and `..`.
pub fn absolute(path: &str) -> Result<PathBuf, String> {
    let path = path.trim();
    if path.is_empty() {
        return Err("path is empty".into());
    }
    let home = path == "~" || path.starts_with("~/");
    let path = if home {
        Account::current().expand(path)
    } else {
        PathBuf::from(path)
    };
    files::clean(&path.to_string_lossy()).map_err(|error| error.text)
}

/// The paths of a list with commas; relative ones lie below `base`.
pub fn list(text: &str, base: Option<&Path>) -> Vec<PathBuf> {
    text.split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
        .filter_map(|path| absolute(path).ok().or_else(|| Some(base?.join(path))))
        .collect()
}
