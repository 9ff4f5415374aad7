//! Settings of the VS Code family in the workspace: with git providers in the
//! deployment, git asks this program for credentials and not the editor.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value};

/// Where the servers of the family keep their settings, under the home directory.
const SETTINGS: [&str; 6] = [
    ".local/share/code-server/Machine/settings.json",
    ".vscode-remote/data/Machine/settings.json",
    ".vscode-server/data/Machine/settings.json",
    ".cursor-server/data/Machine/settings.json",
    ".windsurf-server/data/Machine/settings.json",
    ".vscodium-server/data/Machine/settings.json",
];
const KEYS: [&str; 2] = ["git.useIntegratedAskPass", "github.gitAuthentication"];

/// Turns the editors' own credentials off, unless someone has set them.
pub fn override_git_settings(home: &Path) {
    for path in SETTINGS {
        let path = home.join(path);
        if let Err(error) = override_one(&path) {
            tracing::warn!(%error, ?path, "settings of an editor were left as they are");
        }
    }
}

fn override_one(path: &Path) -> io::Result<()> {
    let mut settings: Map<String, Value> = match fs::read(path) {
        Ok(text) if text.trim_ascii().is_empty() => Map::new(),
        Ok(text) => serde_json::from_slice(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(error),
    };
    let before = settings.len();
    for key in KEYS {
        settings.entry(key).or_insert(Value::Bool(false));
    }
    if settings.len() == before {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, serde_json::to_vec_pretty(&settings)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unset_is_set() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(SETTINGS[2]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, r#"{"git.useIntegratedAskPass": true, "x": 1}"#).unwrap();
        let broken = home.path().join(SETTINGS[1]);
        fs::create_dir_all(broken.parent().unwrap()).unwrap();
        fs::write(&broken, "{ // comment").unwrap();
        override_git_settings(home.path());
        let read =
            |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let kept = read(&path);
        assert_eq!(
            (&kept[KEYS[0]], &kept[KEYS[1]], &kept["x"]),
            (&true.into(), &false.into(), &1.into())
        );
        assert_eq!(fs::read_to_string(&broken).unwrap(), "{ // comment");
        assert_eq!(read(&home.path().join(SETTINGS[0]))[KEYS[0]], false);
    }
}
