//! The file in which X programs find the cookie of a display (`~/.Xauthority`).

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use parking_lot::Mutex;

/// Kind of entry for displays of this machine, named by its host name.
const FAMILY_LOCAL: u16 = 256;
/// The file is small wherever it is used as meant.
const MAX_FILE: u64 = 1024 * 1024;

/// Sessions of this agent write one after the other.
static WRITING: Mutex<()> = Mutex::new(());

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    family: u16,
    address: Vec<u8>,
    number: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
}

impl Entry {
    /// The cookie of a display of this machine.
    pub fn local(number: u16, protocol: &str, cookie: &[u8]) -> io::Result<Self> {
        let host = nix::unistd::gethostname()?;
        Ok(Self {
            family: FAMILY_LOCAL,
            address: host.as_encoded_bytes().to_vec(),
            number: number.to_string().into_bytes(),
            name: protocol.as_bytes().to_vec(),
            data: cookie.to_vec(),
        })
    }

    fn same_display(&self, other: &Self) -> bool {
        (self.family, &self.address, &self.number) == (other.family, &other.address, &other.number)
    }

    fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(&self.family.to_be_bytes());
        for part in [&self.address, &self.number, &self.name, &self.data] {
            out.extend_from_slice(&u16::try_from(part.len()).ok()?.to_be_bytes());
            out.extend_from_slice(part);
        }
        Some(())
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let family = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
        let mut part = || -> Option<Vec<u8>> {
            let length = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
            take(rest, usize::from(length)).map(<[u8]>::to_vec)
        };
        Some(Self {
            family,
            address: part()?,
            number: part()?,
            name: part()?,
            data: part()?,
        })
    }
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(head)
}

/// Puts an entry into the file, instead of one for the same display. A damaged
/// end of the file is dropped.
pub fn add(path: &Path, entry: Entry) -> io::Result<()> {
    let _writing = WRITING.lock();
    let old = match fs::metadata(path) {
        Ok(metadata) if metadata.len() > MAX_FILE => {
            return Err(io::Error::other(format!("{} is too large", path.display())));
        }
        Ok(_) => fs::read(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut rest = old.as_slice();
    let mut entries: Vec<Entry> = std::iter::from_fn(|| Entry::read(&mut rest)).collect();
    entries.retain(|other| !other.same_display(&entry));
    entries.push(entry);
    let mut out = Vec::new();
    for entry in &entries {
        entry
            .write(&mut out)
            .ok_or_else(|| io::Error::other("a cookie is too long"))?;
    }
    // Never half written: every X program of the person reads this file.
    let temporary = path.with_extension("coder-new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    io::Write::write_all(&mut file, &out)?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_has_one_cookie_and_others_keep_theirs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".Xauthority");
        let entry =
            |number, cookie: &[u8]| Entry::local(number, "MIT-MAGIC-COOKIE-1", cookie).unwrap();
        for (number, cookie) in [(10, b"a"), (11, b"b"), (10, b"c")] {
            add(&path, entry(number, cookie)).unwrap();
        }
        let bytes = fs::read(&path).unwrap();
        let mut rest = bytes.as_slice();
        let all: Vec<Entry> = std::iter::from_fn(|| Entry::read(&mut rest)).collect();
        assert_eq!(all, [entry(11, b"b"), entry(10, b"c")]);
        assert!(rest.is_empty());
    }

    #[test]
    fn damage_at_the_end_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".Xauthority");
        fs::write(&path, [1, 0, 0, 200, 1, 2]).unwrap();
        let entry = Entry::local(10, "x", b"y").unwrap();
        add(&path, entry.clone()).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(Entry::read(&mut bytes.as_slice()), Some(entry));
    }
}
