//! Packing a template directory for upload, as the command line does.

use std::fs;
use std::path::{Path, PathBuf};

use super::ArchiveError;

/// Bytes that a packed template may have: a template is text, and larger ones are a mistake
/// (a forgotten binary, a state file) more often than not.
pub const PACK_LIMIT: u64 = 1 << 20;

/// The one hidden file that belongs to a template: it pins provider versions.
const LOCK_FILE: &str = ".terraform.lock.hcl";

/// A packed template directory.
#[derive(Debug)]
pub struct Packed {
    /// The tar archive; the same directory content always gives the same bytes.
    pub tar: Vec<u8>,
    /// Whether the directory pins provider versions by a lock file.
    pub has_lock_file: bool,
    /// Variable files at the top that were left out, in the order in which Terraform reads them
    /// (a later one wins). Their values are sent as user variables instead.
    pub variable_files: Vec<PathBuf>,
}

/// Packs `directory`, leaving out hidden files, Terraform state and variable files.
///
/// # Errors
/// When the directory has no Terraform file at its top, cannot be read, or packs to more than
/// `limit` bytes.
pub fn pack_directory(directory: &Path, limit: u64) -> Result<Packed, ArchiveError> {
    let top = list(directory)?;
    if !top.iter().any(|(name, _)| is_template_file(name)) {
        let shown = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        return Err(ArchiveError::NoTemplate(shown));
    }
    let mut packer = Packer {
        tar: tar::Builder::new(Vec::new()),
        limit,
    };
    packer.add(directory, "")?;
    let tar = packer
        .tar
        .into_inner()
        .map_err(|e| ArchiveError::io(directory, e))?;
    too_large(tar.len() as u64, limit)?;
    Ok(Packed {
        tar,
        has_lock_file: top.iter().any(|(name, _)| name == LOCK_FILE),
        variable_files: variable_files(directory, &top),
    })
}

fn is_template_file(name: &str) -> bool {
    let path = Path::new(name);
    let lower = path.extension().is_some_and(|e| e == "tf");
    lower || name.ends_with(".tf.json")
}

fn is_variable_file(relative: &str) -> bool {
    matches!(relative, "terraform.tfvars" | "terraform.tfvars.json")
        || relative.ends_with(".auto.tfvars")
        || relative.ends_with(".auto.tfvars.json")
}

fn variable_files(directory: &Path, top: &[(String, fs::FileType)]) -> Vec<PathBuf> {
    let fixed = ["terraform.tfvars", "terraform.tfvars.json"];
    let auto = top
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json"));
    fixed
        .into_iter()
        .filter(|name| top.iter().any(|(n, _)| n == name))
        .chain(auto)
        .map(|name| directory.join(name))
        .collect()
}

fn too_large(bytes: u64, limit: u64) -> Result<(), ArchiveError> {
    if bytes > limit {
        return Err(ArchiveError::TooLarge {
            what: "bytes",
            limit,
        });
    }
    Ok(())
}

/// The entries of a directory by name, so that archives do not depend on the file system's order.
fn list(directory: &Path) -> Result<Vec<(String, fs::FileType)>, ArchiveError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(|e| ArchiveError::io(directory, e))? {
        let entry = entry.map_err(|e| ArchiveError::io(directory, e))?;
        let kind = entry
            .file_type()
            .map_err(|e| ArchiveError::io(entry.path(), e))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| ArchiveError::entry(name.to_string_lossy(), "its name is not UTF-8"))?;
        entries.push((name, kind));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

struct Packer {
    tar: tar::Builder<Vec<u8>>,
    limit: u64,
}

impl Packer {
    fn add(&mut self, directory: &Path, prefix: &str) -> Result<(), ArchiveError> {
        for (name, kind) in list(directory)? {
            let relative = format!("{prefix}{name}");
            let hidden = name.starts_with('.') && name != LOCK_FILE;
            if hidden || relative.contains(".tfstate") || is_variable_file(&relative) {
                continue;
            }
            let path = directory.join(&name);
            let mut header = tar::Header::new_gnu();
            header.set_mtime(0);
            let failed = |e| ArchiveError::io(&path, e);
            if kind.is_dir() {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                let as_directory = format!("{relative}/");
                self.tar
                    .append_data(&mut header, &as_directory, &[][..])
                    .map_err(failed)?;
                self.add(&path, &as_directory)?;
            } else if kind.is_symlink() {
                let to = fs::read_link(&path).map_err(failed)?;
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                self.tar
                    .append_link(&mut header, &relative, &to)
                    .map_err(failed)?;
            } else if kind.is_file() {
                let meta = fs::metadata(&path).map_err(failed)?;
                // Before reading: the directory may hold a disk image.
                too_large(self.tar.get_ref().len() as u64 + meta.len(), self.limit)?;
                let content = fs::read(&path).map_err(failed)?;
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(mode(&meta));
                header.set_size(content.len() as u64);
                self.tar
                    .append_data(&mut header, &relative, content.as_slice())
                    .map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn mode(meta: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    if meta.permissions().mode() & 0o111 == 0 {
        0o644
    } else {
        0o755
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Limits, read_all};

    #[test]
    fn packs_what_belongs_to_a_template() {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("main.tf", "# a"),
            (".terraform.lock.hcl", "# lock"),
            (".git/config", "x"),
            (".env", "SECRET=1"),
            ("terraform.tfstate", "{}"),
            ("old/terraform.tfstate.backup", "{}"),
            ("terraform.tfvars", "a = 1"),
            ("b.auto.tfvars", "a = 1"),
            ("build/run.sh", "echo"),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let packed = pack_directory(dir.path(), PACK_LIMIT).unwrap();
        let files = read_all(&packed.tar, Limits::TEMPLATE).unwrap();
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, [".terraform.lock.hcl", "build/run.sh", "main.tf"]);
        assert!(packed.has_lock_file);
        assert_eq!(packed.variable_files.len(), 2);
        let again = pack_directory(dir.path(), PACK_LIMIT).unwrap();
        assert_eq!(packed.tar, again.tar, "packing is not reproducible");
    }

    #[test]
    fn refuses_directories_without_a_template_and_large_ones() {
        let dir = tempfile::tempdir().unwrap();
        let error = pack_directory(dir.path(), PACK_LIMIT).unwrap_err();
        assert!(matches!(error, ArchiveError::NoTemplate(_)), "{error}");
        fs::write(dir.path().join("main.tf"), vec![b' '; 5000]).unwrap();
        assert!(pack_directory(dir.path(), 4000).unwrap_err().is_too_large());
    }
}
