//! The files of the cluster, and the programs that work on them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use rand::Rng as _;
use tokio::process::{Child, Command};

use super::account::Account;
use super::binaries::Programs;
use super::{Binaries, EmbeddedError, stale};

pub(super) const DATA: &str = "data";
pub(super) const RUN: &str = "run";
pub(super) const PASSWORD: &str = "password";
/// Longest path of a socket's directory: the system's limit on addresses is
/// 108 bytes, of which PostgreSQL takes the file name.
const MAX_SOCKET_DIR: usize = 85;
/// What `initdb` may say before we cut it.
const MAX_OUTPUT: usize = 4000;

/// Settings that keep it small: a few connections of one server, many of them idle.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "50"),
    ("shared_buffers", "24MB"),
    ("huge_pages", "off"),
    ("work_mem", "2MB"),
    ("maintenance_work_mem", "32MB"),
    ("io_method", "sync"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("min_wal_size", "32MB"),
    ("max_wal_size", "256MB"),
    ("wal_buffers", "1MB"),
    ("max_worker_processes", "2"),
    ("max_parallel_workers_per_gather", "0"),
    ("max_logical_replication_workers", "0"),
    ("autovacuum_max_workers", "1"),
    ("jit", "off"),
    ("password_encryption", "scram-sha-256"),
    ("log_checkpoints", "off"),
    ("log_line_prefix", ""),
];
/// Settings that only newer versions know.
const SINCE: &[(&str, u32)] = &[("io_method", 18)];

/// A cluster with what runs it.
pub(super) struct Cluster {
    directory: PathBuf,
    handle: OwnedFd,
    programs: Programs,
    account: Account,
    password: String,
}

impl Cluster {
    /// Opens the cluster in `directory`, making it at first use.
    pub(super) async fn open(binaries: Binaries, directory: &Path) -> Result<Self, EmbeddedError> {
        let account = Account::choose(directory)?;
        make_dir(directory, account)?;
        make_dir(&directory.join(RUN), account)?;
        let programs = binaries.unpack(&directory.join("bin")).await?;
        let handle = File::open(directory).map_err(EmbeddedError::io("opening", directory))?;
        let cluster = Cluster {
            directory: directory.to_owned(),
            handle: handle.into(),
            programs,
            account,
            password: password(directory)?,
        };
        let data = directory.join(DATA);
        let version = std::fs::read_to_string(data.join("PG_VERSION")).ok();
        match version.as_deref().map(str::trim) {
            Some(found) if found != cluster.programs.major.to_string() => {
                let found = found.to_owned();
                Err(EmbeddedError::OtherVersion {
                    path: data,
                    found,
                    ours: cluster.programs.major,
                })
            }
            Some(_) => {
                stale::clear(&data).await?;
                Ok(cluster)
            }
            None => {
                cluster.initdb(&data).await?;
                Ok(cluster)
            }
        }
    }

    /// The directory by an inherited descriptor, as the programs see it.
    fn inherited(&self) -> String {
        format!("/proc/self/fd/{}", self.handle.as_raw_fd())
    }

    /// A descriptor of the directory for ourselves.
    pub(super) fn keep_open(&self) -> Result<OwnedFd, EmbeddedError> {
        self.handle
            .try_clone()
            .map_err(EmbeddedError::io("opening", &self.directory))
    }

    pub(super) fn url(&self) -> String {
        let run = self.directory.join(RUN);
        if run.as_os_str().len() > MAX_SOCKET_DIR {
            url(&Path::new(&self.inherited()).join(RUN), &self.password)
        } else {
            url(&run, &self.password)
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.path(program));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null());
        self.account.apply(&mut command);
        command
    }

    /// Starts a program with the directory's descriptor.
    fn spawn(&self, program: &'static str, mut command: Command) -> Result<Child, EmbeddedError> {
        let inherit = |on: bool| {
            let flags = if on {
                FdFlag::empty()
            } else {
                FdFlag::FD_CLOEXEC
            };
            let path = &self.directory;
            fcntl(&self.handle, FcntlArg::F_SETFD(flags))
                .map(drop)
                .map_err(|error| EmbeddedError::io("passing on", path)(error.into()))
        };
        // What another thread starts in this moment inherits it too: a
        // descriptor of a directory, to programs that run as we do.
        inherit(true)?;
        let child = command.spawn();
        inherit(false)?;
        child.map_err(EmbeddedError::io("starting", &self.programs.path(program)))
    }

    async fn initdb(&self, data: &Path) -> Result<(), EmbeddedError> {
        // Left over from an attempt that was cut off: without PG_VERSION there is no data.
        let half = data.with_extension("new");
        remove(&half)?;
        remove(data)?;
        make_dir(&half, self.account)?;
        let password = self.directory.join(RUN).join("initdb-password");
        write_secret(&password, &self.password)?;
        self.account.own(&password)?;
        let mut command = self.command("initdb");
        command
            .arg(format!("--pgdata={}/{DATA}.new", self.inherited()))
            .arg(format!(
                "--pwfile={}/{RUN}/initdb-password",
                self.inherited()
            ))
            .args([
                "--username=coder",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", "--no-instructions", "--wal-segsize=4"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.programs.major >= 16 {
            // The password is random: stretching it would only slow connections down.
            command.arg("--set=scram_iterations=1");
        }
        let child = self.spawn("initdb", command)?;
        let output = child.wait_with_output().await;
        remove(&password)?;
        let output = output.map_err(EmbeddedError::io(
            "waiting for",
            &self.programs.path("initdb"),
        ))?;
        if !output.status.success() {
            let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
            if text.trim().is_empty() {
                text = String::from_utf8_lossy(&output.stdout).into_owned();
            }
            text.truncate(text.floor_char_boundary(MAX_OUTPUT));
            return Err(EmbeddedError::Failed {
                program: "initdb",
                output: text,
            });
        }
        std::fs::rename(&half, data).map_err(EmbeddedError::io("renaming", &half))?;
        tracing::info!(path = %data.display(), "embedded PostgreSQL: cluster made");
        Ok(())
    }

    /// Starts the postmaster; its standard error is piped.
    pub(super) fn postgres(&self) -> Result<Child, EmbeddedError> {
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(format!("{}/{DATA}", self.inherited()));
        let sockets = format!("unix_socket_directories={}/{RUN}", self.inherited());
        command.arg("-c").arg(sockets);
        for (name, value) in SETTINGS {
            let known = SINCE
                .iter()
                .all(|(n, since)| n != name || self.programs.major >= *since);
            if known {
                command
                    .arg("-c")
                    .arg(OsString::from(format!("{name}={value}")));
            }
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        self.spawn("postgres", command)
    }
}

/// Where to connect by the socket in a directory.
pub(super) fn url(run: &Path, password: &str) -> String {
    let mut host = String::new();
    for byte in run.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            host.push(char::from(*byte));
        } else {
            let _ = write!(host, "%{byte:02X}");
        }
    }
    format!("postgres://coder:{password}@{host}/postgres")
}

fn make_dir(path: &Path, account: Account) -> Result<(), EmbeddedError> {
    std::fs::create_dir_all(path).map_err(EmbeddedError::io("creating", path))?;
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, private).map_err(EmbeddedError::io("protecting", path))?;
    account.own(path)
}

fn remove(path: &Path) -> Result<(), EmbeddedError> {
    let result = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::io("removing", path)(error))
        }
        _ => Ok(()),
    }
}

fn write_secret(path: &Path, secret: &str) -> Result<(), EmbeddedError> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(secret.as_bytes()));
    written.map_err(EmbeddedError::io("writing", path))
}

/// The password of the cluster, made at first use.
fn password(directory: &Path) -> Result<String, EmbeddedError> {
    const LEN: usize = 32;
    let path = directory.join(PASSWORD);
    match std::fs::read_to_string(&path) {
        Ok(password) if !password.trim().is_empty() => return Ok(password.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(EmbeddedError::io("reading", &path)(error)),
    }
    let mut random = rand::rng();
    let password: String = (0..LEN)
        .map(|_| char::from(random.sample(rand::distr::Alphanumeric)))
        .collect();
    write_secret(&path, &password)?;
    Ok(password)
}
