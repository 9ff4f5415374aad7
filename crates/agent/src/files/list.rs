//! What a directory holds.

use std::path::{Path, PathBuf};

use api_types::{LsFile, LsRelativity, LsRequest, LsResponse};

use super::FileError;
use crate::account::Account;

/// Entries shown of one directory; what lies beyond is left out.
const MAX_ENTRIES: usize = 50_000;

/// Lists the directory at the absolute `path`, or the one that `request` names.
pub fn list(path: &str, request: &LsRequest) -> Result<LsResponse, FileError> {
    let path = directory(path, request)?;
    let failed = |error: std::io::Error| FileError::io("open", &path, &error);
    let mut contents = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(failed)?.take(MAX_ENTRIES) {
        // An entry that vanishes meanwhile is none.
        let Ok(entry) = entry else { continue };
        contents.push(LsFile {
            name: entry.file_name().to_string_lossy().into_owned(),
            absolute_path_string: entry.path().to_string_lossy().into_owned(),
            is_dir: entry.file_type().is_ok_and(|kind| kind.is_dir()),
        });
    }
    contents.sort_by(|a, b| (!a.is_dir, &a.name).cmp(&(!b.is_dir, &b.name)));
    Ok(LsResponse {
        absolute_path: path
            .iter()
            .skip(1)
            .map(|name| name.to_string_lossy().into_owned())
            .collect(),
        absolute_path_string: path.to_string_lossy().into_owned(),
        contents,
    })
}

fn directory(path: &str, request: &LsRequest) -> Result<PathBuf, FileError> {
    if !path.is_empty() {
        return super::clean(path);
    }
    let start = match &request.relativity {
        LsRelativity::Home => Account::current().home,
        LsRelativity::Root => PathBuf::from("/"),
        other => {
            return Err(FileError::invalid(format!(
                "unsupported relativity type {:?}: use \"root\" or \"home\"",
                other.as_str()
            )));
        }
    };
    // A segment that begins with a slash does not begin anew.
    let joined = request.path.iter().fold(start, |path, segment| {
        path.join(Path::new(segment.trim_start_matches('/')))
    });
    super::clean(&joined.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;

    #[test]
    fn directories_come_first() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a"), "").unwrap();
        std::fs::create_dir(root.path().join("z")).unwrap();
        let path = root.path().to_str().unwrap();
        let listed = list(path, &LsRequest::default()).unwrap();
        let names: Vec<_> = listed
            .contents
            .iter()
            .map(|f| (f.name.as_str(), f.is_dir))
            .collect();
        assert_eq!(names, [("z", true), ("a", false)]);
        let by_segments = LsRequest {
            path: listed.absolute_path.clone(),
            relativity: LsRelativity::Root,
        };
        assert_eq!(list("", &by_segments).unwrap(), listed);
    }

    #[test]
    fn what_cannot_be_listed_is_an_error() {
        let kind = |path: &str| list(path, &LsRequest::default()).unwrap_err().kind;
        assert_eq!(kind("/nowhere"), Kind::Missing);
        assert_eq!(kind("relative"), Kind::Invalid);
        assert_eq!(kind("/etc/passwd"), Kind::Invalid);
        assert_eq!(kind(""), Kind::Invalid);
    }
}
