//! Who PostgreSQL runs as: it refuses to be root.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Uid};
use tokio::process::Command;

use super::EmbeddedError;

/// The user that the programs of PostgreSQL run as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account(Option<(Uid, Gid)>);

impl Account {
    /// Ourselves, unless we are root: then the owner of existing data, or a
    /// user made for such purposes.
    pub(super) fn choose(directory: &Path) -> Result<Self, EmbeddedError> {
        if !Uid::effective().is_root() {
            return Ok(Account(None));
        }
        if let Ok(data) = std::fs::metadata(directory.join(super::cluster::DATA))
            && data.uid() != 0
        {
            return Ok(Account(Some((data.uid().into(), data.gid().into()))));
        }
        ["coder", "postgres", "nobody"]
            .into_iter()
            .find_map(local_user)
            .filter(|(uid, _)| !uid.is_root())
            .map(|user| Account(Some(user)))
            .ok_or(EmbeddedError::NoAccount)
    }

    /// Makes it the owner of a path.
    pub(super) fn own(self, path: &Path) -> Result<(), EmbeddedError> {
        let Some((uid, gid)) = self.0 else {
            return Ok(());
        };
        std::os::unix::fs::chown(path, Some(uid.as_raw()), Some(gid.as_raw()))
            .map_err(EmbeddedError::io("changing the owner of", path))
    }

    /// Makes a program run as it, with no further groups.
    pub(super) fn apply(self, command: &mut Command) {
        if let Some((uid, gid)) = self.0 {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
    }
}

/// A user of `/etc/passwd`. The C library is not asked: in a statically linked program it would load
/// the modules of the machine's name service, which belong to another C library.
fn local_user(name: &str) -> Option<(Uid, Gid)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid: u32 = fields.nth(1)?.parse().ok()?;
        let gid: u32 = fields.next()?.parse().ok()?;
        Some((Uid::from_raw(uid), Gid::from_raw(gid)))
    })
}
