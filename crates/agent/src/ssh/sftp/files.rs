//! What the file server keeps open, and how a client's paths and flags are meant.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions, ReadDir};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use super::attributes::Attributes;
use super::request::Failure;

/// Handles that one client may have open.
const MAX_HANDLES: usize = 1024;

/// Something open.
#[derive(Debug)]
pub enum Open {
    /// A file; the flag says that every write goes to its end.
    File(File, bool),
    /// A directory that is being listed.
    Directory(PathBuf, ReadDir),
}

/// Open files and directories by handle.
#[derive(Debug, Default)]
pub struct Handles {
    open: HashMap<u32, Open>,
    next: u32,
}

impl Handles {
    /// Adds one; answers with its handle.
    pub fn add(&mut self, open: Open) -> Result<[u8; 4], Failure> {
        if self.open.len() >= MAX_HANDLES {
            return Err(Failure::TooMany);
        }
        while self.open.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.open.insert(self.next, open);
        Ok(self.next.to_be_bytes())
    }

    /// The one with this handle.
    pub fn get(&mut self, handle: &[u8]) -> Result<&mut Open, Failure> {
        self.open
            .get_mut(&number(handle)?)
            .ok_or(Failure::BadHandle)
    }

    /// The file with this handle, and whether it only appends.
    pub fn file(&mut self, handle: &[u8]) -> Result<(&mut File, bool), Failure> {
        match self.get(handle)? {
            Open::File(file, append) => Ok((file, *append)),
            Open::Directory(..) => Err(Failure::BadHandle),
        }
    }

    /// Closes one.
    pub fn close(&mut self, handle: &[u8]) -> Result<(), Failure> {
        self.open
            .remove(&number(handle)?)
            .map(drop)
            .ok_or(Failure::BadHandle)
    }
}

fn number(handle: &[u8]) -> Result<u32, Failure> {
    handle
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| Failure::BadHandle)
}

/// Opens a file by the flags of the draft's section 6.3.
pub fn open(path: &Path, flags: u32, attributes: Attributes) -> io::Result<Open> {
    let has = |bit: u32| flags & bit != 0;
    let (read, write, append) = (has(1), has(2), has(4));
    let mut options = OpenOptions::new();
    options.read(read).write(write && !append).append(append);
    if write || append {
        options
            .create(has(8))
            .truncate(has(16) && !append)
            .create_new(has(8) && has(32));
    }
    if let Some(mode) = attributes.permissions {
        options.mode(mode);
    }
    let file = options.open(path)?;
    if append && has(16) {
        file.set_len(0)?;
    }
    Ok(Open::File(file, append))
}

/// The path that a client means: relative ones start at `directory`.
pub fn resolve(directory: &Path, path: &[u8]) -> PathBuf {
    directory.join(OsStr::from_bytes(path))
}

/// The canonical form of a path; what does not exist is only tidied.
pub fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| {
        let mut tidy = PathBuf::from("/");
        for part in path.components() {
            match part {
                Component::Normal(name) => tidy.push(name),
                Component::ParentDir => {
                    tidy.pop();
                }
                _ => {}
            }
        }
        tidy
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_resolve() {
        let home = Path::new("/home/dev");
        assert_eq!(resolve(home, b"x"), Path::new("/home/dev/x"));
        assert_eq!(resolve(home, b"/x"), Path::new("/x"));
        assert_eq!(
            real(Path::new("/no such/../also none/./x")),
            Path::new("/also none/x")
        );
        assert_eq!(real(Path::new("/../..")), Path::new("/"));
    }

    #[test]
    fn handles_are_bounded_and_checked() {
        let mut handles = Handles::default();
        let file = || Open::File(File::open("/dev/null").unwrap(), false);
        let first = handles.add(file()).unwrap();
        assert!(handles.file(&first).is_ok());
        assert!(matches!(handles.get(b"bad"), Err(Failure::BadHandle)));
        while handles.open.len() < MAX_HANDLES {
            handles
                .add(Open::Directory("/".into(), std::fs::read_dir("/").unwrap()))
                .map(drop)
                .unwrap_or_default();
            if handles.open.len() > 300 {
                break;
            }
        }
        handles.close(&first).unwrap();
        assert!(matches!(handles.close(&first), Err(Failure::BadHandle)));
    }
}
