//! An archive of files that someone asks for to find a fault: what could not be
//! collected stands in a manifest at its end.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use api_types::{
    BundleFilesLimits, BundleFilesManifest, BundleFilesManifestEntry, BundleFilesManifestError,
    BundleFilesRequest,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::failure::reason;
use super::{FileError, clean, read};
use crate::account::Account;
use crate::expand;

/// What bounds one collection.
const LIMITS: BundleFilesLimits = BundleFilesLimits {
    max_files: 10_000,
    max_bytes_per_file: 10 * 1024 * 1024,
    max_total_bytes: 100 * 1024 * 1024,
};
/// Bytes of a part of the archive.
pub const PART: usize = 64 * 1024;
/// Size of a block in a tar archive: each file costs one for its head.
const BLOCK: u64 = 512;
/// Directory entries that one pattern may look at.
const MAX_LOOKED_AT: usize = 200_000;

/// Takes the archive in parts for a client that reads at its own pace.
#[derive(Debug)]
pub struct Parts {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Parts {
    /// Sends to `sender`.
    pub fn new(sender: mpsc::Sender<io::Result<Bytes>>) -> Self {
        Self {
            sender,
            buffer: Vec::with_capacity(PART),
        }
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..n]);
        if self.buffer.len() == PART {
            self.flush()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let part = std::mem::replace(&mut self.buffer, Vec::with_capacity(PART));
        self.sender
            .blocking_send(Ok(part.into()))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client has left"))
    }
}

struct Collector<W: Write> {
    archive: tar::Builder<W>,
    manifest: BundleFilesManifest,
    seen: HashSet<PathBuf>,
    left: u64,
    until: Instant,
}

/// Collects into `out`. An error means that nobody takes the archive any more.
pub fn collect(request: &BundleFilesRequest, until: Instant, out: impl Write) -> io::Result<()> {
    let mut collector = Collector {
        archive: tar::Builder::new(out),
        manifest: BundleFilesManifest {
            requested: request.paths.clone(),
            limits: LIMITS,
            ..Default::default()
        },
        seen: HashSet::new(),
        left: LIMITS.max_total_bytes,
        until,
    };
    for requested in &request.paths {
        if !collector.pattern(requested)? {
            break;
        }
    }
    let Collector {
        mut archive,
        manifest,
        ..
    } = collector;
    let manifest = serde_json::to_vec_pretty(&manifest)?;
    append(
        &mut archive,
        "manifest.json",
        manifest.len() as u64,
        Utc::now(),
        manifest.as_slice(),
    )?;
    archive.into_inner()?.flush()
}

fn append(
    archive: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    modified: DateTime<Utc>,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(u64::try_from(modified.timestamp()).unwrap_or(0));
    archive.append_data(&mut header, name, content)
}

impl<W: Write> Collector<W> {
    /// Collects what a path or pattern stands for; `false` once a limit is reached.
    fn pattern(&mut self, requested: &str) -> io::Result<bool> {
        let matches = match matches(requested, self.until) {
            Ok(matches) if matches.is_empty() => {
                self.missing(requested, Path::new(""), "no matches");
                return Ok(true);
            }
            Ok(matches) => matches,
            Err(error) => {
                self.missing(requested, Path::new(""), &error.text);
                return Ok(true);
            }
        };
        for path in matches {
            let full = if Instant::now() > self.until {
                Some("exceeded maximum collection time")
            } else if self.manifest.files.len() >= LIMITS.max_files {
                Some("file count limit reached")
            } else if self.left <= BLOCK {
                Some("total byte limit reached")
            } else {
                None
            };
            if let Some(full) = full {
                self.manifest.truncated = true;
                self.missing(requested, &path, full);
                return Ok(false);
            }
            if self.seen.insert(path.clone()) {
                self.file(requested, &path)?;
            }
        }
        Ok(true)
    }

    fn file(&mut self, requested: &str, path: &Path) -> io::Result<()> {
        let (mut file, metadata) = match read::open_regular(path) {
            Ok(opened) => opened,
            Err(error) => {
                self.missing(requested, path, &error.text);
                return Ok(());
            }
        };
        let size = metadata.len();
        let bytes = size.min(LIMITS.max_bytes_per_file).min(self.left - BLOCK);
        // Of logs, the end is what matters.
        if let Err(error) = file.seek(SeekFrom::Start(size - bytes)) {
            self.missing(requested, path, &reason(&error));
            return Ok(());
        }
        let entry = BundleFilesManifestEntry {
            requested: requested.to_owned(),
            path: path.to_string_lossy().into_owned(),
            archive_path: format!("files{}", path.to_string_lossy()),
            size,
            mod_time: metadata.modified().map(Into::into).unwrap_or_default(),
            bytes_written: bytes,
            truncated: bytes < size,
        };
        let mut content = Exactly {
            file,
            left: bytes,
            error: None,
        };
        let name = entry.archive_path.clone();
        append(
            &mut self.archive,
            &name,
            bytes,
            entry.mod_time,
            &mut content,
        )?;
        if let Some(error) = content.error {
            self.missing(requested, path, &error);
        }
        self.manifest.truncated |= entry.truncated;
        self.left = self
            .left
            .saturating_sub(BLOCK + bytes.next_multiple_of(BLOCK));
        self.manifest.files.push(entry);
        Ok(())
    }

    fn missing(&mut self, requested: &str, path: &Path, reason: &str) {
        self.manifest.errors.push(BundleFilesManifestError {
            requested: requested.to_owned(),
            path: path.to_string_lossy().into_owned(),
            reason: reason.to_owned(),
        });
    }
}

/// A file that gives as many bytes as were promised, zeros where it has shrunk:
/// one that is too short would spoil all that follows.
struct Exactly {
    file: File,
    left: u64,
    error: Option<String>,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..most];
        let n = if self.error.is_some() {
            buffer.fill(0);
            most
        } else {
            match self.file.read(buffer) {
                Ok(0) if most > 0 => {
                    self.error = Some("the file became shorter while it was read".into());
                    return self.read(buffer);
                }
                Ok(n) => n,
                Err(error) => {
                    self.error = Some(reason(&error));
                    return self.read(buffer);
                }
            }
        };
        self.left -= n as u64;
        Ok(n)
    }
}

/// The files that `requested` stands for: variables and `~` are expanded, and `*`,
/// `?` and `[…]` match within one name, `**` across several.
fn matches(requested: &str, until: Instant) -> Result<Vec<PathBuf>, FileError> {
    let expanded = expand::variables(requested, |name| std::env::var(name).ok());
    let account = Account::current();
    let path = match expanded.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            format!("{}{rest}", account.home.display())
        }
        _ => expanded,
    };
    let path = clean(&path)?;
    let text = path.to_string_lossy();
    if !text.contains(['*', '?', '[']) {
        return Ok(vec![path]);
    }
    let names: Vec<&str> = text.split('/').skip(1).collect();
    let mut walk = Walk {
        found: Vec::new(),
        looked_at: 0,
        until,
    };
    walk.walk(Path::new("/"), &names);
    walk.found.sort();
    walk.found.dedup();
    Ok(walk.found)
}

struct Walk {
    found: Vec<PathBuf>,
    looked_at: usize,
    until: Instant,
}

impl Walk {
    fn walk(&mut self, directory: &Path, names: &[&str]) {
        let Some((name, rest)) = names.split_first() else {
            return;
        };
        if *name == "**" {
            self.walk(directory, rest);
        } else if !name.contains(['*', '?', '[']) {
            let path = directory.join(name);
            return match rest {
                [] if path.is_file() => self.found.push(path),
                [] => {}
                rest => self.walk(&path, rest),
            };
        }
        // Directories that may not be read hold nothing for us.
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            self.looked_at += 1;
            let full = self.found.len() > LIMITS.max_files || self.looked_at > MAX_LOOKED_AT;
            if full || Instant::now() > self.until {
                return;
            }
            let file_name = entry.file_name();
            let text = file_name.to_string_lossy();
            // Links are not followed: they may lead in circles.
            let kind = entry.file_type().ok();
            let is_directory = kind.is_some_and(|kind| kind.is_dir());
            if *name == "**" {
                if is_directory {
                    self.walk(&entry.path(), names);
                } else if rest.is_empty() {
                    self.found.push(entry.path());
                }
            } else if glob(name.as_bytes(), text.as_bytes()) {
                if !rest.is_empty() && is_directory {
                    self.walk(&entry.path(), rest);
                } else if rest.is_empty() && !is_directory {
                    self.found.push(entry.path());
                }
            }
        }
    }
}

/// Whether a name is what a pattern means. Works along the name once, going back
/// only to the latest `*`.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => class(&pattern[p..], name[n]).map(|length| p + length),
            Some(byte) if *byte == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => (p, n) = (next, n + 1),
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                (p, n) = (at + 1, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of a `[…]` that holds `byte`.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|b| *b == b']')?;
    let set = &pattern[start..end];
    let mut held = false;
    let mut at = 0;
    while at < set.len() {
        if set.len() > at + 2 && set[at + 1] == b'-' {
            held |= (set[at]..=set[at + 2]).contains(&byte);
            at += 3;
        } else {
            held |= set[at] == byte;
            at += 1;
        }
    }
    (held != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, matched) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a*b*c", "axxbxbc", true),
            ("a?[b-d]", "axc", true),
            ("[!a]x", "bx", true),
            ("[!a]x", "ax", false),
            ("[", "[", false),
            ("**", "", true),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), name.as_bytes()),
                matched,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn files_and_what_is_missing_are_told() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::fs::write(root.path().join("a/b/one.log"), "1").unwrap();
        std::fs::write(root.path().join("two.log"), "22").unwrap();
        let path = |name: &str| format!("{}/{name}", root.path().display());
        let request = BundleFilesRequest {
            paths: vec![
                path("**/*.log"),
                path("two.log"),
                path("none"),
                "rel".into(),
                path("a"),
            ],
        };
        let mut out = Vec::new();
        collect(&request, Instant::now() + Duration::from_mins(1), &mut out).unwrap();
        let mut names = Vec::new();
        let mut manifest = None;
        for entry in tar::Archive::new(out.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            if name == "manifest.json" {
                manifest = Some(serde_json::from_str::<BundleFilesManifest>(&text).unwrap());
            }
            names.push((name, text.len()));
        }
        let manifest = manifest.unwrap();
        assert_eq!(names.len(), 3);
        assert_eq!(names[0], (format!("files{}", path("a/b/one.log")), 1));
        assert_eq!(manifest.files.len(), 2);
        let errors: Vec<_> = manifest.errors.iter().map(|e| e.reason.as_str()).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(!manifest.truncated);
    }
}
