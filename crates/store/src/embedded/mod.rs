//! The PostgreSQL that travels with the server.
//!
//! [`Embedded::start`] unpacks the binaries, makes the cluster at first use,
//! runs the postmaster, restarts it when it dies, and stops it with the
//! server. The cluster lives in `<dir>/data`, its socket in `<dir>/run`; there
//! is no TCP port. Run by root, all of it runs as an unprivileged user, which
//! reaches the directory by an inherited descriptor, so that the directory may
//! lie where that user could not walk to (`/root`).

mod account;
mod binaries;
mod cluster;
mod postmaster;
mod stale;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub use binaries::Binaries;
use cluster::Cluster;
use postmaster::Postmaster;

/// Major version of the PostgreSQL that is packed with releases.
pub const PACKED_MAJOR: u32 = 18;

/// Why the database did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Files could not be made or read.
    #[error("embedded PostgreSQL: {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The data was written by another major version.
    #[error(
        "the data in {} was written by PostgreSQL {found}, this server runs PostgreSQL {ours}. \
         Either dump it with PostgreSQL {found} (pg_dump) and restore it into a fresh directory, \
         or run PostgreSQL {found} yourself and pass --postgres-url; to start empty, move the \
         directory away",
        path.display()
    )]
    OtherVersion {
        /// The data.
        path: PathBuf,
        /// Its version.
        found: String,
        /// That of the binaries.
        ours: u32,
    },
    /// Another server holds the data.
    #[error("another process ({pid}) uses {}; stop it first", path.display())]
    InUse {
        /// The data.
        path: PathBuf,
        /// Its postmaster.
        pid: i32,
    },
    /// As root there must be someone to become.
    #[error(
        "PostgreSQL does not run as root, and there is none of the users coder, postgres, nobody \
         to run it as: create one, run the server as an ordinary user, or pass --postgres-url"
    )]
    NoAccount,
    /// A program of PostgreSQL failed.
    #[error("embedded PostgreSQL: {program} failed: {output}")]
    Failed {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// What it said last.
        output: String,
    },
}

impl EmbeddedError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| EmbeddedError::Io {
            action,
            path,
            source,
        }
    }
}

/// A running PostgreSQL of our own.
pub struct Embedded {
    url: String,
    postmaster: Postmaster,
    // Held open: long paths are reached through it.
    _directory: OwnedFd,
}

impl Embedded {
    /// Starts the PostgreSQL in `directory`, making it at first use. Returns
    /// when it answers.
    ///
    /// # Errors
    /// [`EmbeddedError`], each with the way out.
    pub async fn start(binaries: Binaries, directory: &Path) -> Result<Self, EmbeddedError> {
        let cluster = Cluster::open(binaries, directory).await?;
        let url = cluster.url();
        let directory = cluster.keep_open()?;
        let postmaster = Postmaster::start(cluster, &url).await?;
        Ok(Embedded {
            url,
            postmaster,
            _directory: directory,
        })
    }

    /// Where to connect, with the password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Process id of the running postmaster; it changes when it is restarted.
    pub fn pid(&self) -> Option<u32> {
        self.postmaster.pid()
    }

    /// Stops it cleanly; all connections are closed.
    pub async fn stop(self) {
        self.postmaster.stop().await;
    }
}

/// Where to connect to the PostgreSQL in `directory` while its server runs.
///
/// # Errors
/// If it was never started there.
pub fn url_of(directory: &Path) -> Result<String, EmbeddedError> {
    let path = directory.join(cluster::PASSWORD);
    let password = std::fs::read_to_string(&path).map_err(EmbeddedError::io("reading", &path))?;
    Ok(cluster::url(&directory.join(cluster::RUN), password.trim()))
}
