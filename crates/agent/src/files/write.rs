//! Replacing a file as a whole: readers see the old content or the new one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::FileError;

/// Bytes that one file may get.
pub const MAX_FILE: u64 = 1024 * 1024 * 1024;
/// Bytes of the target's name that the temporary one repeats: names end at 255.
const MAX_STEM: usize = 200;

/// A file that is being written beside its target; gone unless it is put in place.
#[derive(Debug)]
pub struct Replacement {
    target: PathBuf,
    temporary: PathBuf,
    file: File,
    written: u64,
    placed: bool,
}

impl Replacement {
    /// Begins to replace the file at `path`, of which links are followed and
    /// parents made.
    pub fn begin(path: &str) -> Result<Self, FileError> {
        let target = super::resolve(path)?;
        let directory = target.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)
            .map_err(|error| match error.kind() {
                // The same as for any path below a file.
                std::io::ErrorKind::AlreadyExists => {
                    FileError::invalid(format!("mkdir {}: not a directory", directory.display()))
                }
                _ => FileError::io("mkdir", directory, &error),
            })?;
        Self::beside(target)
    }

    /// Begins to replace `target`, whose links are followed already.
    pub fn beside(target: PathBuf) -> Result<Self, FileError> {
        let existing = fs::metadata(&target).ok();
        if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(FileError::invalid(format!(
                "open {}: is a directory",
                target.display()
            )));
        }
        let Some(name) = target.file_name() else {
            return Err(FileError::invalid("open /: is a directory"));
        };
        let name = name.to_string_lossy();
        let stem = &name[..name.floor_char_boundary(MAX_STEM)];
        let random = Uuid::new_v4().simple().to_string();
        let temporary = target.with_file_name(format!(".{stem}.tmp.{}", &random[..8]));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(|error| FileError::io("open", &target, &error))?;
        if let Some(existing) = existing {
            keep_attributes(&file, &existing);
        }
        Ok(Self {
            target,
            temporary,
            file,
            written: 0,
            placed: false,
        })
    }

    /// Adds `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.written += bytes.len() as u64;
        if self.written > MAX_FILE {
            return Err(FileError::too_large(format!(
                "write {}: more than {MAX_FILE} bytes are not taken at once",
                self.target.display()
            )));
        }
        self.file
            .write_all(bytes)
            .map_err(|error| FileError::io("write", &self.target, &error))
    }

    /// Puts the file in place.
    pub fn finish(mut self) -> Result<(), FileError> {
        fs::rename(&self.temporary, &self.target)
            .map_err(|error| FileError::io("write", &self.target, &error))?;
        self.placed = true;
        Ok(())
    }
}

/// Mode and owner stay. Where the system refuses one, the content counts more.
fn keep_attributes(file: &File, existing: &fs::Metadata) {
    if let Ok(new) = file.metadata()
        && (new.uid(), new.gid()) != (existing.uid(), existing.gid())
    {
        let _ = std::os::unix::fs::fchown(file, Some(existing.uid()), Some(existing.gid()));
    }
    let _ = file.set_permissions(Permissions::from_mode(existing.mode() & 0o7777));
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.placed {
            // A full disk may leave it behind; there is nothing more to do about it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;

    fn write(path: &Path, content: &str) -> Result<(), FileError> {
        let mut replacement = Replacement::begin(path.to_str().unwrap())?;
        replacement.write(content.as_bytes())?;
        replacement.finish()
    }

    #[test]
    fn parents_are_made_and_modes_and_links_stay() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a/b/file.sh");
        write(&file, "one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o754)).unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o754);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_write_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("x".repeat(255));
        let mut replacement = Replacement::begin(file.to_str().unwrap()).unwrap();
        replacement.write(b"half").unwrap();
        drop(replacement);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn directories_and_their_likes_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        write(&file, "").unwrap();
        for path in [root.path(), Path::new("/"), &file.join("below")] {
            assert_eq!(
                write(path, "x").unwrap_err().kind,
                Kind::Invalid,
                "{path:?}"
            );
        }
    }
}
