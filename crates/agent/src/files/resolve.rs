//! Where a path leads once its symbolic links are followed, also where its end
//! does not exist yet.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::FileError;

/// Links that are followed, as in the kernel.
const MAX_LINKS: usize = 40;

/// An absolute path without `.` and `..`, by its text alone.
pub fn clean(path: &str) -> Result<PathBuf, FileError> {
    let given = Path::new(path);
    if !given.is_absolute() {
        return Err(FileError::invalid(format!(
            "file path must be absolute: {path:?}"
        )));
    }
    if path.contains('\0') {
        return Err(FileError::invalid("file path must not contain NUL"));
    }
    let mut cleaned = PathBuf::from("/");
    for component in given.components() {
        match component {
            Component::ParentDir => {
                cleaned.pop();
            }
            Component::Normal(name) => cleaned.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(cleaned)
}

/// Follows the links of `path` as far as it exists; the rest stays as it is.
pub fn resolve(path: &str) -> Result<PathBuf, FileError> {
    let cleaned = clean(path)?;
    let mut rest = names(&cleaned);
    let mut resolved = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        resolved.push(&name);
        let metadata = match resolved.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                resolved.extend(rest);
                return clean(&resolved.to_string_lossy());
            }
            Err(error) => return Err(FileError::io("resolve", &cleaned, &error)),
        };
        if !metadata.is_symlink() {
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(FileError::invalid(format!(
                "too many levels of symlinks resolving {path:?}"
            )));
        }
        let target = std::fs::read_link(&resolved)
            .map_err(|error| FileError::io("resolve", &resolved, &error))?;
        resolved.pop();
        if target.is_absolute() {
            resolved = PathBuf::from("/");
        }
        let mut next = names(&target);
        next.append(&mut rest);
        rest = next;
    }
    Ok(resolved)
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::files::Kind;

    #[test]
    fn links_are_followed_as_far_as_the_path_exists() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("real/deep")).unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink(root.join("link/deep/../new"), root.join("ahead")).unwrap();
        let resolved = |path: &str| resolve(&format!("{}/{path}", root.display())).unwrap();
        assert_eq!(resolved("link/deep"), root.join("real/deep"));
        assert_eq!(resolved("link/none/../file"), root.join("real/file"));
        assert_eq!(resolved("ahead"), root.join("real/new"));
        assert_eq!(resolve("/../..").unwrap(), Path::new("/"));
    }

    #[test]
    fn circles_and_nonsense_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        let circle = directory.path().join("a");
        for path in [circle.to_str().unwrap(), "relative", "", "/a\0b"] {
            assert_eq!(resolve(path).unwrap_err().kind, Kind::Invalid, "{path:?}");
        }
        std::fs::write(directory.path().join("file"), "").unwrap();
        let below = format!("{}/file/x", directory.path().display());
        assert_eq!(resolve(&below).unwrap_err().kind, Kind::Invalid);
    }
}
