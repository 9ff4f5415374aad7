//! The user's own CLI configuration (`.tofurc`, `.terraformrc` or `TF_CLI_CONFIG_FILE`).
//!
//! Its syntax is the old HCL 1, in which keys may be quoted, so it is cut into blocks here by
//! their braces rather than parsed: we add to one block and pass the rest on as it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Bytes of a configuration file that we read.
const MAX_BYTES: u64 = 1 << 20;

/// A block in a text: its name and where it and its content are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlockText<'a> {
    pub name: &'a str,
    pub content: &'a str,
    pub start: usize,
    pub end: usize,
}

/// The texts that Terraform itself would read, joined.
pub(super) fn load(env: &BTreeMap<String, OsString>) -> String {
    let explicit = ["TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG"]
        .iter()
        .find_map(|name| env.get(*name))
        .filter(|v| !v.is_empty());
    if let Some(path) = explicit {
        return read(Path::new(path));
    }
    let Some(home) = env.get("HOME").map(PathBuf::from) else {
        return String::new();
    };
    let main = [".tofurc", ".terraformrc"]
        .iter()
        .map(|name| home.join(name))
        .find(|path| path.is_file());
    let mut text = main.map(|path| read(&path)).unwrap_or_default();
    let mut parts: Vec<_> = std::fs::read_dir(home.join(".terraform.d"))
        .into_iter()
        .flatten()
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "tfrc"))
        .collect();
    parts.sort();
    for part in parts {
        text.push('\n');
        text.push_str(&read(&part));
    }
    text
}

fn read(path: &Path) -> String {
    let too_large = std::fs::metadata(path).is_ok_and(|m| m.len() > MAX_BYTES);
    if too_large {
        tracing::warn!(
            "{} is too large for a CLI configuration and not used",
            path.display()
        );
        return String::new();
    }
    match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            tracing::warn!(
                "the CLI configuration {} is not used: {error}",
                path.display()
            );
            String::new()
        }
    }
}

/// The directories in which Terraform looks for providers when its configuration says nothing.
pub(super) fn implied_mirrors(env: &BTreeMap<String, OsString>) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Some(home) = env.get("HOME").map(PathBuf::from) {
        dirs.push(home.join(".terraform.d/plugins"));
        let data = env
            .get("XDG_DATA_HOME")
            .map_or_else(|| home.join(".local/share"), PathBuf::from);
        dirs.push(data.join("opentofu/plugins"));
        dirs.push(data.join("terraform/plugins"));
    }
    dirs.push("/usr/local/share/terraform/plugins".into());
    dirs.push("/usr/share/terraform/plugins".into());
    dirs.retain(|d| d.is_dir());
    dirs
}

/// Providers (`host/namespace/type`) that a mirror directory holds.
pub(super) fn mirrored(directory: &Path) -> Vec<String> {
    let names = |dir: &Path| -> Vec<String> {
        std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .filter(|n| !n.starts_with('.') && !n.contains(['"', '\\', '$']))
            .collect()
    };
    let mut found = Vec::new();
    for host in names(directory) {
        for namespace in names(&directory.join(&host)) {
            for kind in names(&directory.join(&host).join(&namespace)) {
                found.push(format!("{host}/{namespace}/{kind}"));
            }
        }
    }
    found.sort();
    found
}

/// The blocks directly in a text, skipping strings and comments.
pub(super) fn blocks(text: &str) -> Vec<BlockText<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut word: Option<(usize, usize)> = None;
    let mut open: Vec<usize> = Vec::new();
    let mut head: Option<(usize, usize)> = None;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at = line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = text[at..].find("*/").map_or(bytes.len(), |n| at + n + 2);
                continue;
            }
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => {
                if open.is_empty() && bytes[at] == b'{' {
                    head = word;
                }
                open.push(at);
                word = None;
            }
            b'}' | b']' => {
                let start = open.pop();
                if let (true, Some(start), Some((from, to))) = (open.is_empty(), start, head) {
                    found.push(BlockText {
                        name: &text[from..to],
                        content: &text[start + 1..at],
                        start: from,
                        end: at + 1,
                    });
                    head = None;
                }
                word = None;
            }
            b'=' => word = None,
            c if open.is_empty() && (c.is_ascii_alphanumeric() || c == b'_') => {
                let from = at;
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                    at += 1;
                }
                // Of `credentials "host" {` the first word is the name.
                word.get_or_insert((from, at));
                continue;
            }
            b'\n' if open.is_empty() => word = None,
            _ => {}
        }
        at += 1;
    }
    found
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(bytes.len(), |n| from + n)
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' | b'\n' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_text_into_blocks() {
        let text = r#"
# provider_installation {
plugin_cache_dir = "/x{"
credentials "app.example.com" { token = "a}b" }
provider_installation {
  /* } */
  dev_overrides { "coder/coder" = "/dev" }
  direct {}
}
"#;
        let found = blocks(text);
        let names: Vec<_> = found.iter().map(|b| b.name).collect();
        assert_eq!(names, ["credentials", "provider_installation"]);
        let inner: Vec<_> = blocks(found[1].content).iter().map(|b| b.name).collect();
        assert_eq!(inner, ["dev_overrides", "direct"]);
    }

    #[test]
    fn broken_texts_do_no_harm() {
        for text in ["{", "}}}", "a {", "a { \"", "/*", "a = [ {", "é {}"] {
            let _ = blocks(text);
        }
    }
}
