//! The files of a template: a directory that is packed, or a tar that comes
//! by standard input.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::failure::Advice;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// What servers of every version take from a command line.
const MAX_ARCHIVE: usize = 1 << 20;
/// A template is a handful of files; a home directory is not.
const MAX_FILES: usize = 10_000;
/// Records which provider versions a template was tried with.
const LOCK_FILE: &str = ".terraform.lock.hcl";
/// Longer messages are cut where versions are listed.
const MESSAGE_LENGTH: usize = 72;

/// Flags about the files.
#[derive(Debug, Clone, Args)]
pub struct SourceFlags {
    /// Directory of the template; - reads a tar from standard input.
    #[arg(short, long, value_name = "directory")]
    pub directory: Option<PathBuf>,

    /// Do not ask when the template has no .terraform.lock.hcl.
    #[arg(long)]
    pub ignore_lockfile: bool,

    /// What changed in this version.
    #[arg(short, long, value_name = "text")]
    pub message: Option<String>,
}

/// Where the files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A directory.
    Directory(PathBuf),
    /// A tar by standard input.
    Stdin,
}

impl SourceFlags {
    /// Where the files come from: without a terminal and without a directory
    /// it is a tar by standard input.
    pub fn source(&self, interactive: bool) -> Source {
        match &self.directory {
            Some(dir) if dir.as_os_str() == "-" => Source::Stdin,
            Some(dir) => Source::Directory(dir.clone()),
            None if interactive => Source::Directory(PathBuf::from(".")),
            None => Source::Stdin,
        }
    }

    /// The message of the version.
    pub fn message(&self, session: &Session) -> String {
        let message = self
            .message
            .clone()
            .filter(|m| !m.is_empty())
            .unwrap_or_else(|| "Uploaded from the CLI".to_owned());
        if message.chars().count() > MESSAGE_LENGTH {
            session.note(&session.style_err.warn(&format!("Template message is longer than {MESSAGE_LENGTH} characters, it will be displayed as truncated.")));
        }
        message
    }

    /// The name of the template when none was given: that of its directory.
    pub fn default_name(&self, interactive: bool) -> Result<String> {
        let Source::Directory(dir) = self.source(interactive) else {
            return Err(Advice::error(
                "the template needs a name",
                "Give it as argument: 'coder templates push <name>'.",
            ));
        };
        let dir = dir
            .canonicalize()
            .with_context(|| format!("cannot find {}", dir.display()))?;
        let name = dir
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        ensure!(!name.is_empty(), "give the template's name as argument");
        Ok(name)
    }

    /// Packs the files, after asking where that is wanted.
    pub fn archive(&self, session: &Session, yes: bool) -> Result<Vec<u8>> {
        match self.source(session.interactive()) {
            Source::Stdin => from_stdin(),
            Source::Directory(dir) => {
                if !yes && !self.ignore_lockfile && !dir.join(LOCK_FILE).exists() {
                    session.note(&session.style_err.warn(&format!(
                        "No {LOCK_FILE} found: new versions of providers may change what this template makes. \
                         'terraform init' in {} writes one.",
                        dir.display()
                    )));
                }
                confirm_default_yes(&format!("Upload {:?}?", dir.display().to_string()), yes)?;
                pack(&dir)
            }
        }
    }
}

fn from_stdin() -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    let limit = client_limit();
    std::io::stdin()
        .lock()
        .take(limit as u64 + 1)
        .read_to_end(&mut archive)
        .context("read the archive from standard input")?;
    ensure!(
        archive.len() <= limit,
        "the archive on standard input is larger than {} MiB",
        limit >> 20
    );
    if archive.is_empty() {
        return Err(Advice::error(
            "standard input holds no archive",
            "Pipe a tar into the command, or give the directory of the template by -d.",
        ));
    }
    Ok(archive)
}

/// A piped archive may be as large as the server takes.
fn client_limit() -> usize {
    100 << 20
}

/// Packs `dir`: no hidden files but the lock file, no state, no variable
/// values, which may be secrets and belong to the person alone.
pub fn pack(dir: &Path) -> Result<Vec<u8>> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("cannot read the directory {}", dir.display()))?;
    names.retain(|e| is_configuration(&e.file_name().to_string_lossy()));
    if names.is_empty() {
        let shown = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        return Err(Advice::error(
            format!(
                "{} holds no .tf or .tf.json file, so it is no template",
                shown.display()
            ),
            "Give the directory of the template by -d; 'coder templates init' makes one.",
        ));
    }
    let mut archive = tar::Builder::new(Limited {
        buffer: Cursor::new(Vec::new()),
    });
    archive.follow_symlinks(false);
    let mut files = 0;
    add(&mut archive, dir, Path::new(""), &mut files)?;
    Ok(archive
        .into_inner()
        .context("pack the template")?
        .buffer
        .into_inner())
}

fn add(
    archive: &mut tar::Builder<Limited>,
    root: &Path,
    relative: &Path,
    files: &mut usize,
) -> Result<()> {
    let dir = root.join(relative);
    let mut entries = std::fs::read_dir(&dir)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("cannot read the directory {}", dir.display()))?;
    // The same directory always makes the same archive, which the server
    // stores once.
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            bail!("the name of {} is not valid text", entry.path().display());
        };
        let at_root = relative.as_os_str().is_empty();
        if is_left_out(name, at_root) {
            continue;
        }
        *files += 1;
        ensure!(
            *files <= MAX_FILES,
            "{} holds more than {MAX_FILES} files, so it is hardly a template",
            root.display()
        );
        let path = relative.join(name);
        let kind = entry.file_type()?;
        let packed = if kind.is_dir() {
            archive
                .append_dir(&path, entry.path())
                .map_err(anyhow::Error::from)
                .and_then(|()| add(archive, root, &path, files))
        } else if kind.is_file() || kind.is_symlink() {
            archive
                .append_path_with_name(entry.path(), &path)
                .map_err(anyhow::Error::from)
        } else {
            // Sockets and devices are no part of a template.
            Ok(())
        };
        packed.map_err(|e| {
            if is_too_big(&e) {
                too_big()
            } else {
                e.context(format!("pack {}", entry.path().display()))
            }
        })?;
    }
    Ok(())
}

fn is_configuration(name: &str) -> bool {
    let suffix = |s: &str| name.len() > s.len() && name.ends_with(s);
    suffix(".tf") || suffix(".tf.json")
}

fn is_left_out(name: &str, at_root: bool) -> bool {
    let values = name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json");
    let root_values = at_root && matches!(name, "terraform.tfvars" | "terraform.tfvars.json");
    (name.starts_with('.') && name != LOCK_FILE)
        || name.contains(".tfstate")
        || values
        || root_values
}

fn too_big() -> anyhow::Error {
    Advice::error(
        format!("the template is larger than {} MiB", MAX_ARCHIVE >> 20),
        "Keep large files out of it: load them from elsewhere, or pipe a tar into the command.",
    )
}

fn is_too_big(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == std::io::ErrorKind::FileTooLarge)
        || error.downcast_ref::<Advice>().is_some()
}

/// A buffer that refuses to grow beyond the limit.
struct Limited {
    buffer: Cursor<Vec<u8>>,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.buffer.get_ref().len() + bytes.len() > MAX_ARCHIVE {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.buffer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let name = |e: &tar::Entry<'_, &[u8]>| {
            e.path()
                .unwrap()
                .display()
                .to_string()
                .trim_end_matches('/')
                .to_owned()
        };
        archive
            .entries()
            .unwrap()
            .map(|e| name(&e.unwrap()))
            .collect()
    }

    #[test]
    fn packs_what_belongs_to_a_template() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "main.tf",
            LOCK_FILE,
            ".secret",
            "terraform.tfstate",
            "terraform.tfvars",
            "x.auto.tfvars",
            "build/a.sh",
            ".git/config",
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let archive = pack(dir.path()).unwrap();
        assert_eq!(
            names(&archive),
            [LOCK_FILE, "build", "build/a.sh", "main.tf"]
        );
        assert_eq!(archive, pack(dir.path()).unwrap());
    }

    #[test]
    fn a_directory_without_configuration_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("README.md"), "").unwrap();
        assert!(pack(dir.path()).unwrap_err().to_string().contains("no .tf"));
        assert!(pack(&dir.path().join("absent")).is_err());
    }

    #[test]
    fn a_large_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("main.tf"), "").unwrap();
        std::fs::write(dir.path().join("zeros"), vec![0; MAX_ARCHIVE]).unwrap();
        assert!(
            pack(dir.path())
                .unwrap_err()
                .to_string()
                .contains("larger than 1 MiB")
        );
    }

    #[test]
    fn without_terminal_and_directory_it_is_standard_input() {
        let flags = |dir: Option<&str>| SourceFlags {
            directory: dir.map(Into::into),
            ignore_lockfile: false,
            message: None,
        };
        assert_eq!(flags(None).source(true), Source::Directory(".".into()));
        assert_eq!(flags(None).source(false), Source::Stdin);
        assert_eq!(flags(Some("-")).source(true), Source::Stdin);
        assert_eq!(
            flags(Some("x")).source(false),
            Source::Directory("x".into())
        );
    }
}
