//! Which `tofu` or `terraform` program is used, and since when it is good enough.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use semver::Version;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::process::Command;

/// Older programs lack the JSON event stream that we read.
const MINIMUM: Version = Version::new(1, 1, 0);
/// A program that does not tell its version by then hangs.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);
/// Names looked for on PATH, in this order.
const NAMES: [&str; 2] = ["tofu", "terraform"];
/// Bytes that an unpacked program may have: OpenTofu has about 80 MB, and a damaged pack must not
/// fill the disk.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// The OpenTofu that travels with us.
#[derive(Debug, Clone)]
pub enum PackedTofu {
    /// The program, compressed by zstd.
    Zstd(&'static [u8]),
    /// A file holding the program, compressed by zstd if its name ends in `.zst`.
    File(PathBuf),
}

/// Where to look for the program.
#[derive(Debug, Clone, Default)]
pub struct BinaryOptions {
    /// This one and no other.
    pub explicit: Option<PathBuf>,
    /// Do not look on PATH.
    pub ignore_path: bool,
    /// Used when PATH has none that is new enough.
    pub packed: Option<PackedTofu>,
}

/// Which of the two programs it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// OpenTofu.
    OpenTofu,
    /// HashiCorp Terraform.
    Terraform,
}

/// A program that can be used.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Absolute path.
    pub path: PathBuf,
    /// What it says its version is.
    pub version: Version,
    /// Which program it is.
    pub flavour: Flavour,
}

/// Why there is no program to run.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// None was named, found or packed.
    #[error(
        "neither OpenTofu nor Terraform was found on PATH; install one (version {MINIMUM} or newer) or name one by the option for the Terraform binary"
    )]
    Missing,
    /// The program cannot be run.
    #[error("{} cannot be run as OpenTofu or Terraform: {reason}", path.display())]
    Unusable {
        /// The program.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The program is too old.
    #[error("{} has version {version}, but at least {MINIMUM} is needed", path.display())]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: Version,
    },
    /// The packed program could not be unpacked.
    #[error("the bundled OpenTofu cannot be unpacked to {}: {source}", path.display())]
    Unpack {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Binary {
    /// Finds the program: the explicit one, else the first good one on PATH, else the packed one,
    /// unpacked once below `cache`.
    ///
    /// # Errors
    /// See [`BinaryError`]; an explicit program that is not good enough is an error, never skipped.
    pub async fn find(options: &BinaryOptions, cache: &Path) -> Result<Self, BinaryError> {
        if let Some(path) = &options.explicit {
            return Self::probe(path).await;
        }
        let mut refused = None;
        if !options.ignore_path {
            for path in NAMES.iter().flat_map(|name| on_path(name)) {
                match Self::probe(&path).await {
                    Ok(binary) => return Ok(binary),
                    Err(error) => {
                        tracing::warn!("not used: {error}");
                        refused.get_or_insert(error);
                    }
                }
            }
        }
        if let Some(packed) = options.packed.clone() {
            let cache = cache.join("tofu");
            let path = tokio::task::spawn_blocking(move || unpack(&packed, &cache))
                .await
                .map_err(|e| BinaryError::Unpack {
                    path: PathBuf::new(),
                    source: io::Error::other(e),
                })??;
            return Self::probe(&path).await;
        }
        Err(refused.unwrap_or(BinaryError::Missing))
    }

    async fn probe(path: &Path) -> Result<Self, BinaryError> {
        let unusable = |reason: String| BinaryError::Unusable {
            path: path.to_owned(),
            reason,
        };
        let run = Command::new(path)
            .args(["version", "-json"])
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_CLI_CONFIG_FILE")
            .env_remove("TF_LOG")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(VERSION_TIMEOUT, run)
            .await
            .map_err(|_| unusable("it did not tell its version in time".to_owned()))?
            .map_err(|e| unusable(e.to_string()))?;
        #[derive(Deserialize)]
        struct Answer {
            terraform_version: String,
        }
        let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("nothing").trim().to_owned();
            unusable(format!(
                "`version -json` did not answer with JSON, but said: {said}"
            ))
        })?;
        let version = Version::parse(&answer.terraform_version)
            .map_err(|e| unusable(format!("its version {:?}: {e}", answer.terraform_version)))?;
        if version < MINIMUM {
            return Err(BinaryError::TooOld {
                path: path.to_owned(),
                version,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            version,
            flavour: flavour(path).await,
        })
    }

    /// Whether `init` can speak JSON.
    pub fn init_speaks_json(&self) -> bool {
        self.flavour == Flavour::Terraform && self.version >= Version::new(1, 9, 0)
    }

    /// What tells this program from others, for cache keys.
    pub fn identity(&self) -> String {
        format!("{:?}-{}", self.flavour, self.version)
    }
}

/// `version -json` does not say which program answers; the text form does, in its first word.
async fn flavour(path: &Path) -> Flavour {
    if path.file_name().is_some_and(|n| n == "tofu") {
        return Flavour::OpenTofu;
    }
    let run = Command::new(path)
        .arg("version")
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(VERSION_TIMEOUT, run).await {
        Ok(Ok(output)) if output.stdout.starts_with(b"OpenTofu") => Flavour::OpenTofu,
        _ => Flavour::Terraform,
    }
}

fn on_path(name: &str) -> Vec<PathBuf> {
    let Some(path) = std::env::var_os("PATH") else {
        return Vec::new();
    };
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .filter(|file| file.is_file())
        .collect()
}

fn unpack(packed: &PackedTofu, cache: &Path) -> Result<PathBuf, BinaryError> {
    let failed = |path: &Path, source| BinaryError::Unpack {
        path: path.to_owned(),
        source,
    };
    let (name, reader): (String, Box<dyn Read>) = match packed {
        PackedTofu::Zstd(bytes) => {
            let reader = zstd::Decoder::new(*bytes).map_err(|e| failed(cache, e))?;
            (fingerprint(bytes), Box::new(reader))
        }
        PackedTofu::File(path) if path.extension().is_some_and(|e| e == "zst") => {
            let bytes = std::fs::read(path).map_err(|e| failed(path, e))?;
            let name = fingerprint(&bytes);
            let reader = zstd::Decoder::new(io::Cursor::new(bytes)).map_err(|e| failed(path, e))?;
            (name, Box::new(reader))
        }
        PackedTofu::File(path) => return Ok(path.clone()),
    };
    let directory = cache.join(name);
    let target = directory.join("tofu");
    if target.is_file() {
        return Ok(target);
    }
    std::fs::create_dir_all(&directory).map_err(|e| failed(&directory, e))?;
    let write = || -> io::Result<()> {
        // A complete file gets its name by renaming: a crash or a full disk leaves no half one,
        // and two processes may do this at once.
        let mut file = tempfile::Builder::new()
            .prefix(".tofu-")
            .tempfile_in(&directory)?;
        let copied = io::copy(&mut reader.take(MAX_UNPACKED_BYTES + 1), &mut file)?;
        if copied > MAX_UNPACKED_BYTES {
            return Err(io::Error::other("it is larger than 1 GiB"));
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        file.as_file().set_permissions(mode)?;
        file.persist(&target).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| failed(&directory, e))?;
    Ok(target)
}

/// Names a pack without reading all of its tens of megabytes at each start: zstd frames end in a
/// checksum, and another build differs in length or in these parts.
fn fingerprint(bytes: &[u8]) -> String {
    const PART: usize = 64 << 10;
    let mut hash = Sha256::new();
    hash.update(bytes.len().to_le_bytes());
    hash.update(&bytes[..bytes.len().min(PART)]);
    hash.update(&bytes[bytes.len().saturating_sub(PART)..]);
    hex::encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    async fn explicit(path: PathBuf) -> Result<Binary, BinaryError> {
        let options = BinaryOptions {
            explicit: Some(path),
            ..BinaryOptions::default()
        };
        Binary::find(&options, Path::new("/nonexistent")).await
    }

    #[tokio::test]
    async fn an_old_or_broken_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let old = script(
            dir.path(),
            "old",
            r#"echo '{"terraform_version":"0.12.1"}'"#,
        );
        let error = explicit(old).await.unwrap_err();
        assert!(error.to_string().contains("at least 1.1.0"), "{error}");
        let broken = script(dir.path(), "broken", "echo no such command >&2; exit 1");
        let error = explicit(broken).await.unwrap_err();
        assert!(error.to_string().contains("no such command"), "{error}");
        let error = explicit(dir.path().join("absent")).await.unwrap_err();
        assert!(error.to_string().contains("absent"), "{error}");
    }

    #[tokio::test]
    async fn the_packed_program_is_unpacked_once() {
        let dir = tempfile::tempdir().unwrap();
        let plain = b"#!/bin/sh\necho '{\"terraform_version\":\"1.6.2\"}'\n";
        let packed: &'static [u8] = zstd::encode_all(&plain[..], 1).unwrap().leak();
        let options = BinaryOptions {
            ignore_path: true,
            packed: Some(PackedTofu::Zstd(packed)),
            ..BinaryOptions::default()
        };
        let first = Binary::find(&options, dir.path()).await.unwrap();
        assert_eq!(first.flavour, Flavour::OpenTofu);
        let written = std::fs::metadata(&first.path).unwrap().modified().unwrap();
        let second = Binary::find(&options, dir.path()).await.unwrap();
        assert_eq!(first.path, second.path);
        let again = std::fs::metadata(&second.path).unwrap().modified().unwrap();
        assert_eq!(written, again);
    }

    #[tokio::test]
    async fn nothing_at_all_is_a_clear_error() {
        let options = BinaryOptions {
            ignore_path: true,
            ..BinaryOptions::default()
        };
        let error = Binary::find(&options, Path::new("/nonexistent"))
            .await
            .unwrap_err();
        assert!(matches!(error, BinaryError::Missing));
    }
}
