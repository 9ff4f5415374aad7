//! The CLI configuration under which Terraform runs: the user's own, plus our provider.
//!
//! Runs see the provider through `dev_overrides`, which needs no installation and no entry in the
//! lock file. `init` sees a mirror instead, because it insists on finding every provider.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::user_config::{self, BlockText};

/// The `coder` provider's addresses: the short form means another host to each program.
pub(super) const ADDRESSES: [&str; 2] = [
    "registry.terraform.io/coder/coder",
    "registry.opentofu.org/coder/coder",
];
/// The name under which Terraform looks for the provider in an override directory.
const PROVIDER_NAME: &str = "terraform-provider-coder";

/// Files that make Terraform run as we want.
#[derive(Debug, Clone, Default)]
pub struct ToolConfig {
    /// CLI configuration of all commands but `init`.
    pub file: PathBuf,
    /// Directory that holds the provider under its name.
    pub provider_directory: PathBuf,
    /// Shared plugin cache.
    pub plugin_cache: PathBuf,
    /// The user's configuration, to which `init`'s is made.
    user: String,
    implied: Vec<(PathBuf, Vec<String>)>,
}

impl ToolConfig {
    /// Writes the configuration below `cache`. `provider` is the program that serves the `coder`
    /// provider when it is started under the name `terraform-provider-coder`; `env` is the
    /// environment in which the user's own configuration is looked for.
    ///
    /// # Errors
    /// When `cache` cannot be written.
    pub fn prepare(
        cache: &Path,
        provider: &Path,
        env: &BTreeMap<String, OsString>,
    ) -> io::Result<Self> {
        let provider_directory = cache
            .join("provider")
            .join(short_hash(provider.as_os_str().as_encoded_bytes()));
        std::fs::create_dir_all(&provider_directory)?;
        link(provider, &provider_directory.join(PROVIDER_NAME))?;
        let plugin_cache = cache.join("plugins");
        std::fs::create_dir_all(&plugin_cache)?;
        let mut config = Self {
            file: PathBuf::new(),
            provider_directory,
            plugin_cache,
            user: user_config::load(env),
            implied: user_config::implied_mirrors(env)
                .into_iter()
                .map(|dir| {
                    let providers = user_config::mirrored(&dir);
                    (dir, providers)
                })
                .collect(),
        };
        let overrides: String = ADDRESSES
            .iter()
            .map(|a| format!("    \"{a}\" = {}\n", quote(&config.provider_directory)))
            .collect();
        let text = config.compose(Some(&overrides), None);
        config.file = write(cache, &text)?;
        Ok(config)
    }

    /// Writes the configuration for an `init` that finds the `coder` provider in `mirror`.
    ///
    /// # Errors
    /// When `cache` cannot be written.
    pub(super) fn for_init(&self, cache: &Path, mirror: &Path) -> io::Result<PathBuf> {
        write(cache, &self.compose(None, Some(mirror)))
    }

    /// Changes when the user's configuration changes what `init` would do.
    pub(super) fn fingerprint(&self) -> String {
        short_hash(self.compose(None, None).as_bytes())
    }

    fn compose(&self, overrides: Option<&str>, mirror: Option<&Path>) -> String {
        let mut rest = String::new();
        let mut methods = String::new();
        let mut own_overrides = String::new();
        let mut at = 0;
        let mut has_installation = false;
        for block in user_config::blocks(&self.user) {
            if block.name != "provider_installation" {
                continue;
            }
            has_installation = true;
            rest.push_str(&self.user[at..block.start]);
            at = block.end;
            for inner in user_config::blocks(block.content) {
                if inner.name == "dev_overrides" {
                    let others = inner
                        .content
                        .lines()
                        .filter(|l| !l.contains("coder/coder\""));
                    for line in others {
                        own_overrides.push_str(line);
                        own_overrides.push('\n');
                    }
                } else {
                    methods.push_str(&without_coder(&inner));
                }
            }
        }
        rest.push_str(&self.user[at..]);
        if !has_installation {
            methods = self.implied_methods();
        }
        let mut text = rest;
        text.push_str("\nprovider_installation {\n");
        if overrides.is_some() || !own_overrides.trim().is_empty() {
            text.push_str("  dev_overrides {\n");
            text.push_str(&own_overrides);
            text.push_str(overrides.unwrap_or_default());
            text.push_str("  }\n");
        }
        if let Some(mirror) = mirror {
            text.push_str(&format!(
                "  filesystem_mirror {{\n    path = {}\n    include = [{}]\n  }}\n",
                quote(mirror),
                addresses()
            ));
        }
        text.push_str(&methods);
        text.push_str("}\n");
        text
    }

    /// What Terraform does by itself without configuration: local directories serve what they
    /// hold, the registry everything else.
    fn implied_methods(&self) -> String {
        let mut methods = String::new();
        let mut held = Vec::new();
        for (dir, providers) in &self.implied {
            let include: Vec<_> = providers
                .iter()
                .filter(|p| !ADDRESSES.contains(&p.as_str()) && !held.contains(*p))
                .cloned()
                .collect();
            if include.is_empty() {
                continue;
            }
            methods.push_str(&format!(
                "  filesystem_mirror {{\n    path = {}\n    include = [{}]\n  }}\n",
                quote(dir),
                list(&include)
            ));
            held.extend(include);
        }
        held.extend(ADDRESSES.map(str::to_owned));
        methods.push_str(&format!(
            "  direct {{\n    exclude = [{}]\n  }}\n",
            list(&held)
        ));
        methods
    }
}

fn addresses() -> String {
    list(&ADDRESSES.map(str::to_owned))
}

fn list(items: &[String]) -> String {
    let quoted: Vec<_> = items.iter().map(|i| format!("\"{i}\"")).collect();
    quoted.join(", ")
}

fn quote(path: &Path) -> String {
    let text = path
        .to_string_lossy()
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    format!("\"{text}\"")
}

/// An installation method of the user's that leaves the `coder` provider to us.
fn without_coder(block: &BlockText<'_>) -> String {
    let content = block.content.trim_end();
    let excluded = match find_list(content, "exclude") {
        Some(at) => format!(
            "{}{}, {}",
            &content[..at],
            addresses(),
            content[at..].trim_start()
        ),
        None => format!("{content}\n    exclude = [{}]", addresses()),
    };
    format!("  {} {{{excluded}\n  }}\n", block.name)
}

/// The position after the `[` of `name = [`.
fn find_list(content: &str, name: &str) -> Option<usize> {
    let mut at = 0;
    for line in content.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if let Some(rest) = trimmed.strip_prefix(name)
            && let Some(value) = rest.trim_start().strip_prefix('=')
            && value.trim_start().starts_with('[')
        {
            return line.find('[').map(|n| at + n + 1);
        }
        at += line.len();
    }
    None
}

fn short_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}

/// Makes `link` a symbolic link to `target`, replacing another one.
fn link(target: &Path, link: &Path) -> io::Result<()> {
    if std::fs::read_link(link).is_ok_and(|current| current == target) {
        return Ok(());
    }
    let fresh = link.with_extension(uuid::Uuid::new_v4().simple().to_string());
    std::os::unix::fs::symlink(target, &fresh)?;
    std::fs::rename(&fresh, link)
}

/// Writes a configuration under a name that tells its content, readable by us only: the user's
/// part may hold credentials.
fn write(cache: &Path, text: &str) -> io::Result<PathBuf> {
    let path = cache.join(format!("cli-{}.tfrc", short_hash(text.as_bytes())));
    if std::fs::read_to_string(&path).is_ok_and(|current| current == text) {
        return Ok(path);
    }
    std::fs::create_dir_all(cache)?;
    let mut file = tempfile::Builder::new()
        .prefix(".cli-")
        .tempfile_in(cache)?;
    file.write_all(text.as_bytes())?;
    file.persist(&path).map_err(|e| e.error)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(user: &str) -> (tempfile::TempDir, ToolConfig) {
        let dir = tempfile::tempdir().unwrap();
        let rc = dir.path().join("rc");
        std::fs::write(&rc, user).unwrap();
        let env = [("TF_CLI_CONFIG_FILE".to_owned(), rc.into())].into();
        let config = ToolConfig::prepare(dir.path(), Path::new("/bin/true"), &env).unwrap();
        (dir, config)
    }

    #[test]
    fn keeps_what_the_user_configured() {
        let (dir, config) = config(
            r#"credentials "x" { token = "t" }
provider_installation {
  dev_overrides {
    "me/mine" = "/mine"
    "coder/coder" = "/theirs"
  }
  filesystem_mirror { path = "/mirror" }
  direct {
    exclude = ["a/b/c"]
  }
}
"#,
        );
        let text = std::fs::read_to_string(&config.file).unwrap();
        assert!(text.contains("credentials \"x\""), "{text}");
        assert!(text.contains("\"me/mine\" = \"/mine\""), "{text}");
        assert!(!text.contains("/theirs"), "{text}");
        assert_eq!(text.matches("provider_installation").count(), 1);
        let init = config.for_init(dir.path(), Path::new("/m")).unwrap();
        let text = std::fs::read_to_string(init).unwrap();
        assert!(
            text.contains("exclude = [\"registry.terraform.io/coder/coder\", \"registry.opentofu.org/coder/coder\", \"a/b/c\"]"),
            "{text}"
        );
        assert!(text.contains("path = \"/mirror\"\n    exclude"), "{text}");
        assert!(
            !text.contains(&*config.provider_directory.to_string_lossy()),
            "{text}"
        );
    }

    #[test]
    fn without_configuration_everything_else_comes_from_the_registry() {
        let (_dir, config) = config("");
        let text = std::fs::read_to_string(&config.file).unwrap();
        assert!(text.contains("direct {"), "{text}");
        let linked = config.provider_directory.join(PROVIDER_NAME);
        assert_eq!(std::fs::read_link(linked).unwrap(), Path::new("/bin/true"));
    }
}
