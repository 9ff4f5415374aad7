//! Files that a person writes too (an OpenSSH configuration, a shell's start
//! file): read whole, replaced whole.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use crate::failure::Advice;

/// What a person can read is far shorter.
const MAX_TEXT: u64 = 8 << 20;

/// The text of a file; empty where there is none.
pub fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    match std::fs::File::open(path).and_then(|f| f.take(MAX_TEXT).read_to_string(&mut text)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        Ok(read) if read as u64 == MAX_TEXT => Err(Advice::error(
            format!("{} is too large", path.display()),
            format!(
                "More than {} MiB of text were not written by hand.",
                MAX_TEXT >> 20
            ),
        )),
        Ok(_) => Ok(text),
    }
}

/// Replaces a file as a whole, through a link where it is one. A new file, and
/// the directories to it, are its owner's alone.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    write(path, text, false)
}

/// Like [`replace`], for text with secrets: an existing file becomes its owner's alone too.
pub fn replace_private(path: &Path, text: &str) -> Result<()> {
    write(path, text, true)
}

fn write(path: &Path, text: &str, private: bool) -> Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = target.parent().unwrap_or(Path::new("."));
    let written = (|| {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        if !private && let Ok(old) = std::fs::metadata(&target) {
            file.as_file().set_permissions(old.permissions())?;
        }
        file.persist(&target)?;
        std::io::Result::Ok(())
    })();
    written.with_context(|| format!("cannot write {}", target.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn links_and_modes_survive() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a/file"), dir.path().join("link"));
        replace(&file, "one").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "two").unwrap();
        assert_eq!(read(&file).unwrap(), "two");
        assert!(link.is_symlink());
        let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o640);
        replace_private(&link, "key").unwrap();
        assert_eq!((read(&file).unwrap().as_str(), mode()), ("key", 0o600));
        assert!(link.is_symlink());
        assert_eq!(read(&dir.path().join("none")).unwrap(), "");
    }
}
