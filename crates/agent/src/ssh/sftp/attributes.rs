//! File attributes on the wire (section 5 of the draft), and the long lines of
//! listings.

use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::ssh::wire::{Malformed, Reader, Write};

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;

/// Attributes that a client wants to set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Length of the file.
    pub size: Option<u64>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// Permission bits.
    pub permissions: Option<u32>,
    /// Last access and last change, in seconds since 1970.
    pub times: Option<(u32, u32)>,
}

impl Attributes {
    /// Reads them from a packet.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let flags = reader.u32()?;
        let mut attributes = Self::default();
        if flags & SIZE != 0 {
            let (high, low) = (reader.u32()?, reader.u32()?);
            attributes.size = Some(u64::from(high) << 32 | u64::from(low));
        }
        if flags & OWNER != 0 {
            attributes.owner = Some((reader.u32()?, reader.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(reader.u32()? & 0o7777);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((reader.u32()?, reader.u32()?));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..reader.u32()? {
                reader.string()?;
                reader.string()?;
            }
        }
        Ok(attributes)
    }

    /// Sets them on an open file.
    pub fn apply(&self, file: &File) -> io::Result<()> {
        if let Some(size) = self.size {
            file.set_len(size)?;
        }
        if let Some(mode) = self.permissions {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        if let Some((accessed, modified)) = self.times {
            let at = |seconds| UNIX_EPOCH + Duration::from_secs(u64::from(seconds));
            file.set_times(
                FileTimes::new()
                    .set_accessed(at(accessed))
                    .set_modified(at(modified)),
            )?;
        }
        if let Some((user, group)) = self.owner {
            std::os::unix::fs::fchown(file, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// Sets them on what is at `path`, without opening it where possible: it
    /// may be a directory, or not readable.
    pub fn apply_at(&self, path: &Path) -> io::Result<()> {
        if let Some(size) = self.size {
            File::options().write(true).open(path)?.set_len(size)?;
        }
        if let Some(mode) = self.permissions {
            std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        if let Some((accessed, modified)) = self.times {
            let at = |seconds| nix::sys::time::TimeSpec::new(i64::from(seconds), 0);
            nix::sys::stat::utimensat(
                nix::fcntl::AT_FDCWD,
                path,
                &at(accessed),
                &at(modified),
                nix::sys::stat::UtimensatFlags::FollowSymlink,
            )?;
        }
        if let Some((user, group)) = self.owner {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }
}

/// Writes what is known of a file.
pub fn write(out: &mut Vec<u8>, metadata: &Metadata) {
    out.put_number(SIZE | OWNER | PERMISSIONS | TIMES);
    out.put_raw(&metadata.len().to_be_bytes());
    out.put_number(metadata.uid());
    out.put_number(metadata.gid());
    out.put_number(metadata.mode());
    // Seconds of the draft have 32 bits.
    out.put_number(metadata.atime() as u32);
    out.put_number(metadata.mtime() as u32);
}

/// Writes that nothing is known.
pub fn write_none(out: &mut Vec<u8>) {
    out.put_number(0);
}

/// A line in the manner of `ls -l`.
pub fn long_line(metadata: &Metadata, name: &str) -> String {
    let mode = metadata.mode();
    let kind = match mode & libc::S_IFMT {
        libc::S_IFDIR => 'd',
        libc::S_IFLNK => 'l',
        libc::S_IFCHR => 'c',
        libc::S_IFBLK => 'b',
        libc::S_IFIFO => 'p',
        libc::S_IFSOCK => 's',
        _ => '-',
    };
    let bits: String = (0..9)
        .map(|i| {
            if mode & (0o400 >> i) == 0 {
                '-'
            } else {
                ['r', 'w', 'x'][i % 3]
            }
        })
        .collect();
    let time = chrono::DateTime::from_timestamp(metadata.mtime(), 0).unwrap_or_default();
    format!(
        "{kind}{bits} {:>4} {:<8} {:<8} {:>8} {} {name}",
        metadata.nlink(),
        metadata.uid(),
        metadata.gid(),
        metadata.len(),
        time.format("%b %e %Y")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_in_any_combination() {
        let mut out = Vec::new();
        out.put_number(SIZE | PERMISSIONS | EXTENDED);
        out.put_raw(&(5u64 << 32 | 7).to_be_bytes());
        out.put_number(0o100_644);
        out.put_number(1);
        out.put_string(b"x");
        out.put_string(b"y");
        let read = Attributes::read(&mut Reader::new(&out)).unwrap();
        assert_eq!(read.size, Some(5 << 32 | 7));
        assert_eq!(read.permissions, Some(0o644));
        assert_eq!((read.owner, read.times), (None, None));
        assert!(Attributes::read(&mut Reader::new(&out[..8])).is_err());
    }

    #[test]
    fn endless_extensions_end_with_the_packet() {
        let mut out = Vec::new();
        out.put_number(EXTENDED);
        out.put_number(u32::MAX);
        assert_eq!(Attributes::read(&mut Reader::new(&out)), Err(Malformed));
    }
}
