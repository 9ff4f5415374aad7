//! Reading a tar archive: to a directory, into memory, or only to see whether it is sound.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, EntryType};

use super::{ArchiveError, Limits};

/// What a sound entry is.
enum Item<'a> {
    Directory,
    File {
        executable: bool,
        data: &'a mut dyn Read,
    },
    Link(PathBuf),
}

/// Unpacks a tar archive below `directory`, which must exist and should be empty.
///
/// # Errors
/// Refuses absolute paths, paths and links that leave the directory, devices, pipes, hard links,
/// names that are not UTF-8, and whatever exceeds `limits`. What was written until then stays.
pub fn extract(tar: &[u8], directory: &Path, limits: Limits) -> Result<(), ArchiveError> {
    // Links are made after all files, so that no file is ever written through one.
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    walk(tar, limits, |path, item| {
        let target = directory.join(path);
        match item {
            Item::Directory => {
                fs::create_dir_all(&target).map_err(|e| ArchiveError::io(&target, e))
            }
            Item::File { executable, data } => write_file(&target, executable, data),
            Item::Link(to) => {
                links.push((target, to));
                Ok(())
            }
        }
    })?;
    for (at, to) in &links {
        make_parent(at)?;
        symlink(to, at).map_err(|e| ArchiveError::io(at, e))?;
    }
    let root = fs::canonicalize(directory).map_err(|e| ArchiveError::io(directory, e))?;
    for (at, to) in &links {
        // Only the file system knows where a chain of links really ends.
        let inside = fs::canonicalize(at).is_ok_and(|real| real.starts_with(&root));
        if !inside {
            return Err(ArchiveError::entry(
                at.strip_prefix(directory).unwrap_or(at).to_string_lossy(),
                format!(
                    "it links to {}, which is not a file of this archive",
                    to.display()
                ),
            ));
        }
    }
    Ok(())
}

/// Reads all regular files of a tar archive into memory, by path. Links are left out.
///
/// # Errors
/// As [`extract`].
pub fn read_all(tar: &[u8], limits: Limits) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    let mut files = BTreeMap::new();
    walk(tar, limits, |path, item| {
        if let Item::File { data, .. } = item {
            let mut content = Vec::new();
            data.read_to_end(&mut content).map_err(|e| invalid(&e))?;
            files.insert(path.to_string_lossy().into_owned(), content);
        }
        Ok(())
    })?;
    Ok(files)
}

/// The beginning of one regular file of a tar archive, of at most `most` bytes. `None` if there is no
/// such file, or the archive is unsound: who unpacks all of it says what is wrong.
pub fn read_file(tar: &[u8], path: &str, most: u64, limits: Limits) -> Option<Vec<u8>> {
    let mut found = None;
    let read = walk(tar, limits, |at, item| {
        if let Item::File { data, .. } = item
            && at == Path::new(path)
        {
            let mut content = Vec::new();
            let mut data = data.take(most);
            data.read_to_end(&mut content).map_err(|e| invalid(&e))?;
            found = Some(content);
        }
        Ok(())
    });
    read.ok().and(found)
}

/// Whether an archive would be accepted, without writing anything.
///
/// # Errors
/// As [`extract`], except that links are only checked by name.
pub fn check(tar: &[u8], limits: Limits) -> Result<(), ArchiveError> {
    walk(tar, limits, |_, item| {
        if let Item::File { data, .. } = item {
            io::copy(data, &mut io::sink()).map_err(|e| invalid(&e))?;
        }
        Ok(())
    })
}

fn invalid(error: &io::Error) -> ArchiveError {
    ArchiveError::Invalid {
        format: "tar",
        reason: error.to_string(),
    }
}

fn walk(
    tar: &[u8],
    limits: Limits,
    mut visit: impl FnMut(&Path, Item<'_>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut archive = Archive::new(tar);
    let mut seen = BTreeSet::new();
    let mut entries = 0usize;
    let mut total = 0u64;
    for entry in archive.entries().map_err(|e| invalid(&e))? {
        let mut entry = entry.map_err(|e| invalid(&e))?;
        entries += 1;
        if entries > limits.entries {
            return Err(ArchiveError::TooLarge {
                what: "entries",
                limit: limits.entries as u64,
            });
        }
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            continue;
        }
        let raw = entry.path_bytes();
        if raw.len() > limits.path_bytes {
            return Err(ArchiveError::entry(
                String::from_utf8_lossy(&raw[..64.min(raw.len())]),
                format!("its path is longer than {} bytes", limits.path_bytes),
            ));
        }
        let name = match std::str::from_utf8(&raw) {
            Ok(name) => name.to_owned(),
            Err(_) => {
                return Err(ArchiveError::entry(
                    String::from_utf8_lossy(&raw),
                    "its name is not UTF-8",
                ));
            }
        };
        let path = safe_path(&name, limits)?;
        if path.as_os_str().is_empty() {
            continue; // "./", the root itself
        }
        match kind {
            EntryType::Directory => visit(&path, Item::Directory)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                if !seen.insert(path.clone()) {
                    return Err(ArchiveError::entry(name, "it occurs twice"));
                }
                let size = entry.size();
                if size > limits.file_bytes {
                    return Err(ArchiveError::entry(
                        name,
                        format!("it is larger than {} bytes", limits.file_bytes),
                    ));
                }
                total = total.saturating_add(size);
                if total > limits.total_bytes {
                    return Err(ArchiveError::TooLarge {
                        what: "bytes in its files",
                        limit: limits.total_bytes,
                    });
                }
                let executable = entry.header().mode().unwrap_or(0) & 0o111 != 0;
                // The size in the header is what a hostile archive would lie about.
                let mut data = (&mut entry).take(size);
                visit(
                    &path,
                    Item::File {
                        executable,
                        data: &mut data,
                    },
                )?;
            }
            EntryType::Symlink => {
                if !seen.insert(path.clone()) {
                    return Err(ArchiveError::entry(name, "it occurs twice"));
                }
                let to = entry
                    .link_name()
                    .map_err(|e| invalid(&e))?
                    .ok_or_else(|| ArchiveError::entry(&name, "it is a link to nothing"))?
                    .into_owned();
                if leaves(&path, &to) {
                    return Err(ArchiveError::entry(
                        name,
                        format!("it links to {}, outside of the archive", to.display()),
                    ));
                }
                visit(&path, Item::Link(to))?;
            }
            other => {
                return Err(ArchiveError::entry(
                    name,
                    format!(
                        "a template holds files, directories and links only, not {}",
                        kind_name(other)
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "hard links",
        EntryType::Char | EntryType::Block => "device nodes",
        EntryType::Fifo => "named pipes",
        _ => "special entries",
    }
}

/// The path as a relative one without `.` parts.
fn safe_path(name: &str, limits: Limits) -> Result<PathBuf, ArchiveError> {
    if name.contains('\0') {
        return Err(ArchiveError::entry(name, "its name has a NUL byte"));
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                return Err(ArchiveError::entry(name, "it has '..' in its path"));
            }
            Component::RootDir | Component::Prefix(_) => {
                return Err(ArchiveError::entry(name, "its path is absolute"));
            }
        }
    }
    if path.components().count() > limits.depth {
        return Err(ArchiveError::entry(
            name,
            format!("it lies more than {} directories deep", limits.depth),
        ));
    }
    Ok(path)
}

/// Whether a link at `at` points out of the archive, as far as its text tells.
fn leaves(at: &Path, to: &Path) -> bool {
    let mut depth = at.components().count().saturating_sub(1) as isize;
    for part in to.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => {
                depth -= 1;
                if depth < 0 {
                    return true;
                }
            }
            Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

fn make_parent(path: &Path) -> Result<(), ArchiveError> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(|e| ArchiveError::io(parent, e)),
        None => Ok(()),
    }
}

fn write_file(path: &Path, executable: bool, data: &mut dyn Read) -> Result<(), ArchiveError> {
    make_parent(path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(if executable { 0o755 } else { 0o644 })
        .open(path)
        .map_err(|e| ArchiveError::io(path, e))?;
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        let n = data.read(&mut buffer).map_err(|e| invalid(&e))?;
        if n == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..n])
            .map_err(|e| ArchiveError::io(path, e))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    fn header(kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header
    }

    fn file(builder: &mut Builder<Vec<u8>>, name: &str, content: &[u8]) {
        let mut header = header(EntryType::Regular, content.len() as u64);
        // `set_path` refuses what these tests are about, so the bytes are written directly.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }

    fn special(kind: EntryType, name: &str, link: &str) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        let mut header = header(kind, 0);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
        builder.into_inner().unwrap()
    }

    fn unpack(tar: &[u8]) -> Result<tempfile::TempDir, String> {
        let dir = tempfile::tempdir().unwrap();
        extract(tar, dir.path(), Limits::TEMPLATE).map_err(|e| e.to_string())?;
        Ok(dir)
    }

    #[test]
    fn unpacks_files_directories_and_inner_links() {
        let mut builder = Builder::new(Vec::new());
        file(&mut builder, "./main.tf", b"# hi");
        file(&mut builder, "scripts/run.sh", b"echo");
        let mut link = header(EntryType::Symlink, 0);
        builder
            .append_link(&mut link, "scripts/main.tf", "../main.tf")
            .unwrap();
        let dir = unpack(&builder.into_inner().unwrap()).unwrap();
        assert_eq!(fs::read(dir.path().join("main.tf")).unwrap(), b"# hi");
        assert_eq!(
            fs::read(dir.path().join("scripts/main.tf")).unwrap(),
            b"# hi"
        );
    }

    #[test]
    fn refuses_paths_and_links_that_leave() {
        for name in ["../evil.tf", "/etc/evil", "a/../../evil"] {
            let mut builder = Builder::new(Vec::new());
            file(&mut builder, name, b"x");
            let error = unpack(&builder.into_inner().unwrap()).unwrap_err();
            assert!(error.contains("not allowed"), "{error}");
        }
        for to in ["/etc/passwd", "../outside", "missing.tf"] {
            let error = unpack(&special(EntryType::Symlink, "link", to)).unwrap_err();
            assert!(error.contains("it links to"), "{error}");
        }
    }

    #[test]
    fn refuses_a_chain_of_links_that_leaves() {
        let mut builder = Builder::new(Vec::new());
        file(&mut builder, "a/b/file", b"x");
        let mut up = header(EntryType::Symlink, 0);
        builder.append_link(&mut up, "a/b/root", "../..").unwrap();
        let mut out = header(EntryType::Symlink, 0);
        builder.append_link(&mut out, "a/b/out", "root/..").unwrap();
        let error = unpack(&builder.into_inner().unwrap()).unwrap_err();
        assert!(error.contains("a/b/out"), "{error}");
    }

    #[test]
    fn refuses_devices_pipes_and_hard_links() {
        for (kind, word) in [
            (EntryType::Char, "device nodes"),
            (EntryType::Block, "device nodes"),
            (EntryType::Fifo, "named pipes"),
            (EntryType::Link, "hard links"),
        ] {
            let error = unpack(&special(kind, "x", "y")).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn bounds_count_and_size() {
        let mut builder = Builder::new(Vec::new());
        for n in 0..20 {
            file(&mut builder, &format!("f{n}.tf"), b"12345");
        }
        let tar = builder.into_inner().unwrap();
        let few = Limits {
            entries: 10,
            ..Limits::TEMPLATE
        };
        let error = check(&tar, few).unwrap_err();
        assert!(error.is_too_large());
        assert_eq!(
            error.to_string(),
            "the archive is too large: it has more than 10 entries"
        );
        let small = Limits {
            total_bytes: 30,
            ..Limits::TEMPLATE
        };
        assert!(check(&tar, small).unwrap_err().is_too_large());
        let tiny = Limits {
            file_bytes: 4,
            ..Limits::TEMPLATE
        };
        assert!(check(&tar, tiny).unwrap_err().to_string().contains("f0.tf"));
    }

    #[test]
    fn refuses_garbage_and_truncation() {
        assert!(unpack(&[7u8; 2048]).is_err());
        let mut builder = Builder::new(Vec::new());
        file(&mut builder, "main.tf", &[b'x'; 4096]);
        let tar = builder.into_inner().unwrap();
        assert!(unpack(&tar[..1024]).is_err());
    }

    #[test]
    fn refuses_a_file_given_twice() {
        let mut builder = Builder::new(Vec::new());
        file(&mut builder, "main.tf", b"a");
        file(&mut builder, "./main.tf", b"b");
        let error = unpack(&builder.into_inner().unwrap()).unwrap_err();
        assert!(error.contains("twice"), "{error}");
    }
}
