//! The account that the agent runs as: name, home and login shell. Read from
//! `/etc/passwd` directly: a static binary has no name service, and workspace
//! images keep their users there.

use std::path::{Path, PathBuf};

/// The shell where neither the account nor `$SHELL` names one.
const DEFAULT_SHELL: &str = "/bin/sh";

/// An account of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Home directory: `$HOME` of the agent, else that of the account.
    pub home: PathBuf,
    /// Login shell of the account, else `$SHELL`, else `/bin/sh`.
    pub shell: PathBuf,
}

impl Account {
    /// The account of this process, looked up now: a start script may have
    /// changed the shell since the last time.
    pub fn current() -> Self {
        let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
        let uid = nix::unistd::Uid::current().as_raw();
        Self::resolve(&passwd, uid, |name| std::env::var(name).ok())
    }

    fn resolve(passwd: &[u8], uid: u32, env: impl Fn(&str) -> Option<String>) -> Self {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let entry = find(passwd, uid);
        let known = |value: Option<&str>| value.filter(|v| !v.is_empty()).map(str::to_owned);
        let field = |n: usize| known(entry.as_ref().and_then(|e| e.get(n)).map(String::as_str));
        Self {
            name: field(0)
                .or_else(|| env("USER"))
                .unwrap_or_else(|| uid.to_string()),
            home: env("HOME")
                .or_else(|| field(5))
                .unwrap_or_else(|| "/".into())
                .into(),
            shell: field(6)
                .or_else(|| env("SHELL"))
                .unwrap_or_else(|| DEFAULT_SHELL.into())
                .into(),
        }
    }

    /// `path` with a leading `~` replaced and, if relative, placed under the home directory.
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ if Path::new(path).is_absolute() => path.into(),
            _ => self.home.join(path),
        }
    }
}

/// The fields of the first entry with this user id.
fn find(passwd: &[u8], uid: u32) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(passwd);
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let id = fields.get(2)?.parse::<u32>().ok()?;
        (id == uid && !line.starts_with('#'))
            .then(|| fields.iter().map(|f| f.trim().to_owned()).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n\
        broken line\n\
        # dev:x:1000:1000::/wrong:/wrong\n\
        dev:x:1000:1000:Dev,,,:/home/dev:/usr/bin/zsh\n\
        bare:x:1001:1001:::\n";

    #[test]
    fn a_user_that_is_not_root_gets_its_own_shell() {
        let account = Account::resolve(PASSWD, 1000, |_| None);
        assert_eq!(account.name, "dev");
        assert_eq!(account.shell, Path::new("/usr/bin/zsh"));
        assert_eq!(account.home, Path::new("/home/dev"));
    }

    #[test]
    fn the_environment_fills_what_the_file_lacks() {
        let env = |name: &str| match name {
            "SHELL" => Some("/bin/fish".to_owned()),
            "HOME" => Some("/work".to_owned()),
            _ => None,
        };
        let bare = Account::resolve(PASSWD, 1001, env);
        assert_eq!(
            (bare.shell.as_path(), bare.home.as_path()),
            (Path::new("/bin/fish"), Path::new("/work"))
        );
        let unknown = Account::resolve(PASSWD, 4242, |_| None);
        assert_eq!(
            (unknown.name.as_str(), unknown.shell.as_path()),
            ("4242", Path::new("/bin/sh"))
        );
    }

    #[test]
    fn paths_expand_from_home() {
        let account = Account::resolve(PASSWD, 1000, |_| None);
        assert_eq!(account.expand("~"), Path::new("/home/dev"));
        assert_eq!(account.expand("~/x"), Path::new("/home/dev/x"));
        assert_eq!(account.expand("x/y"), Path::new("/home/dev/x/y"));
        assert_eq!(account.expand("/x"), Path::new("/x"));
    }
}
