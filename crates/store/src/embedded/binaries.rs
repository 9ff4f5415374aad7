//! The programs of PostgreSQL, unpacked where whoever runs them can reach them.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::{EmbeddedError, PACKED_MAJOR};

/// Where the programs come from.
#[derive(Debug, Clone)]
pub enum Binaries {
    /// A `tar.zst` with `bin`, `lib` and `share`, of major version
    /// [`PACKED_MAJOR`], within the binary.
    Packed(&'static [u8]),
    /// An installation, `bin` below it.
    Directory(PathBuf),
}

/// Unpacked programs.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    bin: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.bin.join(program)
    }
}

/// As root, programs go where other users can run them.
const SHARED: &[&str] = &["/var/cache/coder", "/tmp"];

impl Binaries {
    /// Makes the programs runnable; `own` is a directory of ours.
    pub(super) async fn unpack(self, own: &Path) -> Result<Programs, EmbeddedError> {
        match self {
            Binaries::Directory(path) => installed(&path).await,
            Binaries::Packed(packed) => {
                let own = own.to_owned();
                let unpacking = tokio::task::spawn_blocking(move || unpack(packed, &own));
                unpacking.await.unwrap_or_else(|panic| {
                    Err(EmbeddedError::Failed {
                        program: "unpacking",
                        output: panic.to_string(),
                    })
                })
            }
        }
    }
}

async fn installed(path: &Path) -> Result<Programs, EmbeddedError> {
    let bin = path.join("bin");
    let postgres = bin.join("postgres");
    let output = tokio::process::Command::new(&postgres)
        .arg("--version")
        .output()
        .await
        .map_err(EmbeddedError::io("running", &postgres))?;
    // "postgres (PostgreSQL) 15.14 (Debian …)"
    let text = String::from_utf8_lossy(&output.stdout);
    let major = text
        .split_whitespace()
        .find_map(|word| word.split('.').next()?.parse().ok())
        .ok_or_else(|| EmbeddedError::Failed {
            program: "postgres",
            output: text.to_string(),
        })?;
    Ok(Programs { bin, major })
}

fn unpack(packed: &'static [u8], own: &Path) -> Result<Programs, EmbeddedError> {
    let name = format!("postgresql-{PACKED_MAJOR}-{:016x}", fingerprint(packed));
    let home = home(own, &name)?;
    let bin = home.join("bin");
    if bin.join("postgres").exists() {
        return Ok(Programs {
            bin,
            major: PACKED_MAJOR,
        });
    }
    // Unpacked aside and renamed: whoever finds the name finds all of it.
    let aside = home.with_extension(format!("{}.part", std::process::id()));
    std::fs::create_dir_all(&aside).map_err(EmbeddedError::io("creating", &aside))?;
    let result = zstd::Decoder::new(packed).and_then(|tar| {
        let mut archive = tar::Archive::new(tar);
        archive.set_preserve_ownerships(false);
        archive.unpack(&aside)
    });
    if let Err(error) = result {
        let _ = std::fs::remove_dir_all(&aside);
        return Err(EmbeddedError::io("unpacking into", &aside)(error));
    }
    if let Err(error) = std::fs::rename(&aside, &home) {
        // Another process was faster, or the place is taken by something else.
        let _ = std::fs::remove_dir_all(&aside);
        if !bin.join("postgres").exists() {
            return Err(EmbeddedError::io("creating", &home)(error));
        }
    }
    remove_older(&home);
    Ok(Programs {
        bin,
        major: PACKED_MAJOR,
    })
}

/// Directory of the programs: in our own, or, as root, where others can reach.
fn home(own: &Path, name: &str) -> Result<PathBuf, EmbeddedError> {
    if !Uid::effective().is_root() {
        std::fs::create_dir_all(own).map_err(EmbeddedError::io("creating", own))?;
        return Ok(own.join(name));
    }
    let mut last = None;
    for parent in SHARED.iter().map(Path::new) {
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent);
        let home = parent.join(name);
        match made.and_then(|()| std::fs::symlink_metadata(&home)) {
            // In /tmp anyone could have put programs of theirs there.
            Ok(found) if found.is_dir() && found.uid() == 0 && found.mode() & 0o022 == 0 => {
                return Ok(home);
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(home),
            Err(error) => last = Some((home, error)),
        }
    }
    let (path, error) = last.unwrap_or_else(|| {
        (
            PathBuf::from(SHARED[0]),
            std::io::ErrorKind::PermissionDenied.into(),
        )
    });
    Err(EmbeddedError::io(
        "finding a place for the programs below",
        &path,
    )(error))
}

/// Removes the programs of other builds, 60 MB each.
fn remove_older(home: &Path) {
    let Some(parent) = home.parent() else { return };
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let old = name.starts_with("postgresql-") && !name.contains(".part");
        // Not those of a running server: its restarts need them.
        if old && entry.path() != home && !in_use(&entry.path()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn in_use(home: &Path) -> bool {
    let running = |process: std::fs::DirEntry| {
        std::fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe.starts_with(home))
    };
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .any(running)
}

/// Tells builds apart by length and end, where the checksums are; hashing all
/// 17 MB would take longer than starting the database.
fn fingerprint(packed: &[u8]) -> u64 {
    const TAIL: usize = 4096;
    const PRIME: u64 = 0x0100_0000_01b3;
    let tail = &packed[packed.len().saturating_sub(TAIL)..];
    let seed = 0xcbf2_9ce4_8422_2325 ^ packed.len() as u64;
    tail.iter().fold(seed, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}
