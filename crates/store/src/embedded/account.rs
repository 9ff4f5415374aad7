//! Who PostgreSQL runs as: it refuses to be root.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Uid, User};
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
            .find_map(|name| User::from_name(name).ok().flatten())
            .filter(|user| !user.uid.is_root())
            .map(|user| Account(Some((user.uid, user.gid))))
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
