//! The Unix socket that the host connects to.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Where to listen.
pub(super) struct SocketOptions {
    /// Directory of the socket.
    pub(super) directory: PathBuf,
    /// Group, by name or number, that may connect beside the user.
    pub(super) group: Option<String>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error("{path}: {error}; the directory is TMPDIR or PLUGIN_UNIX_SOCKET_DIR")]
    Bind { path: String, error: io::Error },
    #[error("there is no group {0:?}, which PLUGIN_UNIX_SOCKET_GROUP names")]
    NoGroup(String),
    #[error("cannot give the socket to group {group:?}: {error}")]
    Group { group: String, error: io::Error },
}

/// A socket in the file system, removed when it is dropped.
pub(super) struct Socket {
    path: PathBuf,
    listener: UnixListener,
}

impl Socket {
    /// Makes a socket of a random name that only the user (and the group, if one is asked for) can connect to.
    pub(super) fn bind(options: &SocketOptions) -> Result<Self, SocketError> {
        let path = options
            .directory
            .join(format!("plugin{}", uuid::Uuid::new_v4().simple()));
        let fail = |error| SocketError::Bind {
            path: path.display().to_string(),
            error,
        };
        let listener = UnixListener::bind(&path).map_err(fail)?;
        // From here on the file is removed whatever fails.
        let socket = Self {
            path: path.clone(),
            listener,
        };
        socket.listener.set_nonblocking(true).map_err(fail)?;
        let mode = if options.group.is_some() {
            0o660
        } else {
            0o600
        };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).map_err(fail)?;
        if let Some(group) = &options.group {
            let id = group_id(group).ok_or_else(|| SocketError::NoGroup(group.clone()))?;
            std::os::unix::fs::chown(&path, None, Some(id)).map_err(|error| {
                SocketError::Group {
                    group: group.clone(),
                    error,
                }
            })?;
        }
        Ok(socket)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The listener, for the runtime that calls this.
    pub(super) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Best effort: somebody may have cleaned the directory already.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn group_id(group: &str) -> Option<u32> {
    if let Ok(id) = group.parse() {
        return Some(id);
    }
    // Not from the C library, which in a statically linked program would load foreign modules.
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == group)
            .then(|| fields.nth(1)?.parse().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::{Socket, SocketOptions};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_socket_is_private_and_goes_with_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let options = SocketOptions {
            directory: directory.path().to_owned(),
            group: None,
        };
        let socket = Socket::bind(&options).unwrap();
        let path = socket.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_place_that_cannot_hold_a_socket_is_named() {
        for directory in ["/nowhere".to_owned(), format!("/tmp/{}", "x".repeat(200))] {
            let options = SocketOptions {
                directory: directory.clone().into(),
                group: None,
            };
            let error = Socket::bind(&options).err().unwrap().to_string();
            assert!(error.contains(&directory), "{error}");
        }
        let directory = tempfile::tempdir().unwrap();
        let options = SocketOptions {
            directory: directory.path().to_owned(),
            group: Some("no such group".to_owned()),
        };
        assert!(
            Socket::bind(&options)
                .err()
                .unwrap()
                .to_string()
                .contains("no such group")
        );
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }
}
