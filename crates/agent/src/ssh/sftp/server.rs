//! Answers one request after another. Knows files, and nothing of channels.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::attributes::{self, Attributes};
use super::files::{self, Handles, Open};
use super::request::{
    self, ATTRS, CLOSE, DATA, EXTENDED, EXTENDED_REPLY, FSETSTAT, FSTAT, Failure, HANDLE, INIT,
    LSTAT, MKDIR, NAME, OK, OPEN, OPENDIR, READ, READDIR, READLINK, REALPATH, REMOVE, RENAME,
    RMDIR, SETSTAT, STAT, SYMLINK, VERSION, WRITE, answer,
};
use crate::ssh::wire::{Reader, Write};

/// The version of the protocol.
const PROTOCOL: u32 = 3;
/// Most bytes that one read answers with.
const MAX_READ: u32 = 256 * 1024;
/// Entries of a directory per answer.
const ENTRIES: usize = 100;
/// Extensions of OpenSSH that are served, with their versions.
const EXTENSIONS: [(&str, &str); 5] = [
    ("posix-rename@openssh.com", "1"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("limits@openssh.com", "1"),
];

/// The file server of one client.
#[derive(Debug)]
pub struct Server {
    directory: PathBuf,
    handles: Handles,
}

impl Server {
    /// Relative paths start at `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            handles: Handles::default(),
        }
    }

    /// Answers one packet (without its length).
    pub fn handle(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut reader = Reader::new(packet);
        let kind = reader.byte().unwrap_or(0);
        if kind == INIT {
            return version();
        }
        let id = reader.u32().unwrap_or(0);
        self.request(kind, id, reader).unwrap_or_else(|failure| {
            let (code, text) = failure.status();
            request::status(id, code, &text)
        })
    }

    fn request(&mut self, kind: u8, id: u32, mut r: Reader<'_>) -> Result<Vec<u8>, Failure> {
        match kind {
            OPEN => {
                let (path, flags) = (self.path(&mut r)?, r.u32()?);
                let open = files::open(&path, flags, Attributes::read(&mut r)?)?;
                return self.opened(id, open);
            }
            OPENDIR => {
                let path = self.path(&mut r)?;
                let entries = fs::read_dir(&path)?;
                return self.opened(id, Open::Directory(path, entries));
            }
            CLOSE => self.handles.close(r.string()?)?,
            READ => return self.read(id, &mut r),
            WRITE => self.write(&mut r)?,
            LSTAT => return Ok(stat(id, &fs::symlink_metadata(self.path(&mut r)?)?)),
            STAT => return Ok(stat(id, &fs::metadata(self.path(&mut r)?)?)),
            FSTAT => {
                let metadata = match self.handles.get(r.string()?)? {
                    Open::File(file, _) => file.metadata()?,
                    Open::Directory(path, _) => fs::metadata(path)?,
                };
                return Ok(stat(id, &metadata));
            }
            SETSTAT => {
                let path = self.path(&mut r)?;
                Attributes::read(&mut r)?.apply_at(&path)?;
            }
            FSETSTAT => {
                let handle = r.string()?;
                let attributes = Attributes::read(&mut r)?;
                match self.handles.get(handle)? {
                    Open::File(file, _) => attributes.apply(file)?,
                    Open::Directory(path, _) => attributes.apply_at(path)?,
                }
            }
            READDIR => return self.list(id, &mut r),
            REMOVE => fs::remove_file(self.path(&mut r)?)?,
            MKDIR => {
                let path = self.path(&mut r)?;
                let mode = Attributes::read(&mut r)?.permissions.unwrap_or(0o777);
                use std::os::unix::fs::DirBuilderExt;
                fs::DirBuilder::new().mode(mode).create(path)?;
            }
            RMDIR => fs::remove_dir(self.path(&mut r)?)?,
            REALPATH => {
                let path = files::real(&self.path(&mut r)?);
                return Ok(one_name(id, &path));
            }
            RENAME => {
                let (from, to) = (self.path(&mut r)?, self.path(&mut r)?);
                // Version 3 forbids replacing; clients that want it use the extension.
                if fs::symlink_metadata(&to).is_ok() {
                    return Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists).into());
                }
                fs::rename(from, to)?;
            }
            READLINK => return Ok(one_name(id, &fs::read_link(self.path(&mut r)?)?)),
            SYMLINK => {
                // Target first, as every client does it, against the draft.
                let target = r.string()?;
                let link = self.path(&mut r)?;
                std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), link)?;
            }
            EXTENDED => return self.extended(id, &mut r),
            _ => return Err(Failure::Unsupported),
        }
        Ok(request::status(id, OK, ""))
    }

    fn path(&self, r: &mut Reader<'_>) -> Result<PathBuf, Failure> {
        Ok(files::resolve(&self.directory, r.string()?))
    }

    fn opened(&mut self, id: u32, open: Open) -> Result<Vec<u8>, Failure> {
        let handle = self.handles.add(open)?;
        let mut out = answer(HANDLE, id);
        out.put_string(&handle);
        Ok(out)
    }

    fn read(&mut self, id: u32, r: &mut Reader<'_>) -> Result<Vec<u8>, Failure> {
        let handle = r.string()?;
        let offset = u64::from(r.u32()?) << 32 | u64::from(r.u32()?);
        let wanted = r.u32()?.min(MAX_READ) as usize;
        let (file, _) = self.handles.file(handle)?;
        let mut out = answer(DATA, id);
        let head = out.len() + 4;
        out.resize(head + wanted, 0);
        let mut got = 0;
        while got < wanted {
            match file.read_at(&mut out[head + got..], offset + got as u64) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if got == 0 && wanted > 0 {
            return Err(Failure::End);
        }
        out.truncate(head + got);
        out[head - 4..head].copy_from_slice(&(got as u32).to_be_bytes());
        Ok(out)
    }

    fn write(&mut self, r: &mut Reader<'_>) -> Result<(), Failure> {
        let handle = r.string()?;
        let offset = u64::from(r.u32()?) << 32 | u64::from(r.u32()?);
        let data = r.string()?;
        let (file, append) = self.handles.file(handle)?;
        if append {
            std::io::Write::write_all(file, data)?;
        } else {
            file.write_all_at(data, offset)?;
        }
        Ok(())
    }

    fn list(&mut self, id: u32, r: &mut Reader<'_>) -> Result<Vec<u8>, Failure> {
        let Open::Directory(path, entries) = self.handles.get(r.string()?)? else {
            return Err(Failure::BadHandle);
        };
        let mut listed = Vec::new();
        let mut count = 0;
        for entry in entries.by_ref().take(ENTRIES) {
            let name = entry?.file_name();
            listed.put_string(name.as_bytes());
            // An entry may be gone by now; its name is listed all the same.
            if let Ok(metadata) = fs::symlink_metadata(path.join(&name)) {
                let line = attributes::long_line(&metadata, &name.to_string_lossy());
                listed.put_string(line.as_bytes());
                attributes::write(&mut listed, &metadata);
            } else {
                listed.put_string(name.as_bytes());
                attributes::write_none(&mut listed);
            }
            count += 1;
        }
        if count == 0 {
            return Err(Failure::End);
        }
        let mut out = answer(NAME, id);
        out.put_number(count);
        out.put_raw(&listed);
        Ok(out)
    }

    fn extended(&mut self, id: u32, r: &mut Reader<'_>) -> Result<Vec<u8>, Failure> {
        match r.string()? {
            b"posix-rename@openssh.com" => fs::rename(self.path(r)?, self.path(r)?)?,
            b"hardlink@openssh.com" => fs::hard_link(self.path(r)?, self.path(r)?)?,
            b"fsync@openssh.com" => self.handles.file(r.string()?)?.0.sync_all()?,
            b"statvfs@openssh.com" => {
                let volume = nix::sys::statvfs::statvfs(&self.path(r)?)?;
                let mut out = answer(EXTENDED_REPLY, id);
                for number in [
                    volume.block_size(),
                    volume.fragment_size(),
                    volume.blocks(),
                    volume.blocks_free(),
                    volume.blocks_available(),
                    volume.files(),
                    volume.files_free(),
                    volume.files_available(),
                    volume.filesystem_id(),
                    volume.flags().bits(),
                    volume.name_max(),
                ] {
                    out.put_raw(&number.to_be_bytes());
                }
                return Ok(out);
            }
            b"limits@openssh.com" => {
                let mut out = answer(EXTENDED_REPLY, id);
                for number in [
                    super::MAX_PACKET as u64,
                    u64::from(MAX_READ),
                    u64::from(MAX_READ),
                    0,
                ] {
                    out.put_raw(&number.to_be_bytes());
                }
                return Ok(out);
            }
            _ => return Err(Failure::Unsupported),
        }
        Ok(request::status(id, OK, ""))
    }
}

fn version() -> Vec<u8> {
    let mut out = vec![VERSION];
    out.put_number(PROTOCOL);
    for (name, version) in EXTENSIONS {
        out.put_string(name.as_bytes());
        out.put_string(version.as_bytes());
    }
    out
}

fn stat(id: u32, metadata: &fs::Metadata) -> Vec<u8> {
    let mut out = answer(ATTRS, id);
    attributes::write(&mut out, metadata);
    out
}

fn one_name(id: u32, path: &Path) -> Vec<u8> {
    let mut out = answer(NAME, id);
    out.put_number(1);
    let name = path.as_os_str().as_bytes();
    out.put_string(name);
    out.put_string(name);
    attributes::write_none(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use request::STATUS;

    fn server() -> (tempfile::TempDir, Server) {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::new(directory.path().into());
        (directory, server)
    }

    fn ask(server: &mut Server, kind: u8, build: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut packet = answer(kind, 9);
        build(&mut packet);
        server.handle(&packet)
    }

    fn code(answer: &[u8]) -> u32 {
        assert_eq!(answer[0], STATUS, "not a status: {answer:?}");
        Reader::new(&answer[5..]).u32().unwrap()
    }

    fn open(server: &mut Server, path: &[u8], flags: u32) -> Vec<u8> {
        let answer = ask(server, OPEN, |p| {
            p.put_string(path);
            p.put_number(flags);
            p.put_number(0);
        });
        assert_eq!(answer[0], HANDLE, "{answer:?}");
        Reader::new(&answer[5..]).string().unwrap().to_vec()
    }

    #[test]
    fn a_file_is_written_and_read_at_offsets() {
        let (directory, mut server) = server();
        let name = b"bin\xff";
        let handle = open(&mut server, name, 1 | 2 | 8);
        for (offset, data) in [(3u64, b"def"), (0, b"abc")] {
            let answer = ask(&mut server, WRITE, |p| {
                p.put_string(&handle);
                p.put_raw(&offset.to_be_bytes());
                p.put_string(data);
            });
            assert_eq!(code(&answer), OK);
        }
        let read = |server: &mut Server, offset: u64| {
            ask(server, READ, |p| {
                p.put_string(&handle);
                p.put_raw(&offset.to_be_bytes());
                p.put_number(u32::MAX);
            })
        };
        let answer = read(&mut server, 1);
        assert_eq!(Reader::new(&answer[5..]).string().unwrap(), b"bcdef");
        assert_eq!(code(&read(&mut server, 6)), 1, "end of file");
        let on_disk = directory.path().join(std::ffi::OsStr::from_bytes(name));
        assert_eq!(fs::read(on_disk).unwrap(), b"abcdef");
    }

    #[test]
    fn renaming_replaces_only_by_the_extension() {
        let (directory, mut server) = server();
        for name in ["a", "b"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let both = |p: &mut Vec<u8>| {
            p.put_string(b"a");
            p.put_string(b"b");
        };
        assert_eq!(code(&ask(&mut server, RENAME, both)), 4);
        let answer = ask(&mut server, EXTENDED, |p| {
            p.put_string(b"posix-rename@openssh.com");
            both(p);
        });
        assert_eq!(code(&answer), OK);
        assert_eq!(fs::read(directory.path().join("b")).unwrap(), b"a");
    }

    #[test]
    fn directories_are_listed_to_their_end() {
        let (directory, mut server) = server();
        for n in 0..150 {
            fs::write(directory.path().join(n.to_string()), "").unwrap();
        }
        let answer = ask(&mut server, OPENDIR, |p| p.put_string(b"."));
        let handle = Reader::new(&answer[5..]).string().unwrap().to_vec();
        let mut count = 0;
        loop {
            let answer = ask(&mut server, READDIR, |p| p.put_string(&handle));
            if answer[0] == STATUS {
                assert_eq!(code(&answer), 1);
                break;
            }
            count += Reader::new(&answer[5..]).u32().unwrap();
        }
        assert_eq!(count, 150);
    }

    #[test]
    fn nonsense_is_answered_and_survived() {
        let (_directory, mut server) = server();
        assert_eq!(code(&server.handle(&[])), 8);
        assert_eq!(code(&server.handle(&[OPEN, 0, 0, 0, 1])), 5);
        assert_eq!(code(&server.handle(&[99, 0, 0, 0, 1])), 8);
        assert_eq!(code(&ask(&mut server, CLOSE, |p| p.put_string(b"zzzz"))), 4);
        assert_eq!(code(&ask(&mut server, STAT, |p| p.put_string(b"none"))), 2);
        assert_eq!(
            server.handle(&[INIT, 0, 0, 0, 3])[..5],
            [VERSION, 0, 0, 0, 3]
        );
    }
}
