//! The configuration directory: one small file per setting, readable by its
//! owner alone, in the places and forms of the original.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Settings are single lines; anything longer is a mistake.
const MAX_SETTING: u64 = 64 << 10;

/// The directory; it need not exist yet.
#[derive(Debug, Clone)]
pub struct ConfigDir(PathBuf);

impl ConfigDir {
    /// The directory that was asked for, else the platform's usual one.
    pub fn new(asked: Option<&Path>) -> Result<Self> {
        if let Some(dir) = asked.filter(|d| !d.as_os_str().is_empty()) {
            return Ok(Self(dir.to_owned()));
        }
        usual()
            .map(Self)
            .context("cannot tell where settings belong: set HOME, or give --global-config")
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Address of the deployment.
    pub fn url(&self) -> Result<Option<String>> {
        self.read("url")
    }

    /// Session token.
    pub fn session(&self) -> Result<Option<String>> {
        self.read("session")
    }

    /// Selected organization.
    pub fn organization(&self) -> Result<Option<String>> {
        self.read("organization")
    }

    /// Address of the dotfiles repository that was installed last.
    pub fn dotfiles_url(&self) -> Result<Option<String>> {
        self.read("dotfilesurl")
    }

    /// Stores a setting.
    pub fn write(&self, name: &str, value: &str) -> Result<()> {
        let path = self.0.join(name);
        self.create()
            .and_then(|()| replace(&path, value))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes a setting; it may be absent.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.0.join(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn create(&self) -> std::io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)
    }

    fn read(&self, name: &str) -> Result<Option<String>> {
        use std::io::Read;
        let path = self.0.join(name);
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut text = String::new();
        file.take(MAX_SETTING)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let text = text.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }
}

/// Writes beside the file and renames, so that a reader sees the old or the
/// new value and never half of one.
fn replace(path: &Path, value: &str) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".setting-")
        .tempfile_in(dir)?;
    file.write_all(value.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// `$XDG_CONFIG_HOME/coderv2`, else the platform's place for settings.
fn usual() -> Option<PathBuf> {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    if let Some(dir) = var("XDG_CONFIG_HOME").filter(|_| cfg!(all(unix, not(target_os = "macos"))))
    {
        return Some(dir.join("coderv2"));
    }
    if cfg!(windows) {
        return Some(var("APPDATA")?.join("coderv2"));
    }
    let place = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".config"
    };
    Some(
        crate::home::home_dir()
            .filter(|h| !h.as_os_str().is_empty())?
            .join(place)
            .join("coderv2"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_private_and_replaceable() {
        let root = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(Some(&root.path().join("a/b"))).unwrap();
        assert_eq!(dir.session().unwrap(), None);
        dir.write("session", "one\n").unwrap();
        dir.write("session", "two").unwrap();
        assert_eq!(dir.session().unwrap().as_deref(), Some("two"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(dir.path().join("session"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        dir.remove("session").unwrap();
        dir.remove("session").unwrap();
        assert_eq!(dir.session().unwrap(), None);
    }

    #[test]
    fn a_directory_in_place_of_a_setting_is_an_error_that_names_it() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("url")).unwrap();
        let error = ConfigDir::new(Some(root.path()))
            .unwrap()
            .url()
            .unwrap_err();
        assert!(format!("{error:#}").contains("url"));
    }
}
