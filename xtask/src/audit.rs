//! Dependency audit as far as it runs without a network: every package must
//! carry a licence that the product may ship under, and come from a registry.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Permissive licences, and file-level copyleft that leaves our own files alone.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks every package of the lock file.
pub fn run(root: &Path) -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut problems = Vec::new();
    let mut count = 0;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let version = package["version"].as_str().unwrap_or_default();
        let Some(source) = package["source"].as_str() else {
            continue; // ours
        };
        count += 1;
        if !source.starts_with("registry+") {
            problems.push(format!(
                "{name} {version} comes from {source}, not from a registry"
            ));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !satisfied(licence) {
            problems.push(format!(
                "{name} {version}: licence {licence:?} is not on the list"
            ));
        }
    }
    if problems.is_empty() {
        println!("audit: {count} packages, all under allowed licences");
        return Ok(());
    }
    for problem in &problems {
        eprintln!("audit: {problem}");
    }
    bail!("{} package(s) need a look", problems.len());
}

/// Whether an SPDX expression leaves a choice that is allowed. Understands `OR`,
/// `AND`, the old `/` and one level of parentheses, which is all that is in use.
fn satisfied(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    split_top(&expression, " AND ").iter().all(|part| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        part.split(" OR ").any(|choice| {
            let choice = choice.trim().trim_matches(['(', ')']);
            ALLOWED.contains(&choice)
                || choice
                    .split(" AND ")
                    .all(|c| ALLOWED.contains(&c.trim().trim_matches(['(', ')'])))
        })
    })
}

/// Splits at `separator` outside parentheses.
fn split_top<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0, 0, 0);
    while at < text.len() {
        if text[at..].starts_with('(') {
            depth += 1;
        } else if text[at..].starts_with(')') {
            depth -= 1;
        } else if depth == 0 && text[at..].starts_with(separator) {
            parts.push(&text[start..at]);
            at += separator.len();
            start = at;
            continue;
        }
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn expressions() {
        assert!(satisfied("MIT OR Apache-2.0"));
        assert!(satisfied("MIT/Apache-2.0"));
        assert!(satisfied("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(satisfied("GPL-3.0 OR MIT"));
        assert!(!satisfied("GPL-3.0"));
        assert!(!satisfied("MIT AND GPL-3.0"));
        assert!(!satisfied(""));
    }
}
