//! The rules of the house that a compiler does not check.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Crates by tier: a crate may use only crates of lower tiers (see
/// `ARCHITECTURE.md`).
const TIERS: &[(&str, u8)] = &[
    ("api-types", 0),
    ("rpc", 0),
    ("authz", 0),
    ("tunnel-proto", 0),
    ("client", 1),
    ("mcp", 1),
    ("tunnel", 1),
    ("relay", 1),
    ("llm", 1),
    ("store", 1),
    ("terraform-provider", 1),
    ("chat", 2),
    ("provisioner", 2),
    ("agent", 2),
    ("gateway", 2),
    ("toolbox", 2),
    ("control", 3),
    ("server", 4),
    ("cli", 5),
];

/// Crates that only tests and automation use.
const OUTSIDE: &[&str] = &["testkit", "xtask", "e2e", "benches"];

/// What lands in a workspace or runs beside Terraform stays free of the control
/// plane.
const NEVER: &[(&[&str], &[&str])] = &[(
    &[
        "agent",
        "tunnel",
        "provisioner",
        "terraform-provider",
        "client",
        "mcp",
        "toolbox",
    ],
    &["store", "control", "server"],
)];

/// Beginnings of absolute paths that belong to a machine, not to the project.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/.", "/home/runner/"];

pub fn run(root: &Path) -> Result<()> {
    let mut problems = Vec::new();
    tiers(root, &mut problems)?;
    files(root, &mut problems)?;
    if problems.is_empty() {
        println!("tidy: all rules hold");
        return Ok(());
    }
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    bail!("{} rule(s) broken", problems.len());
}

fn tiers(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root)
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let tier: BTreeMap<&str, u8> = TIERS.iter().copied().collect();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        if OUTSIDE.contains(&name) {
            continue;
        }
        let Some(own) = tier.get(name) else {
            problems.push(format!("crate {name} has no tier in xtask/src/tidy.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            let to = dependency["name"].as_str().unwrap_or_default();
            if let Some(other) = tier.get(to)
                && other >= own
            {
                problems.push(format!(
                    "{name} (tier {own}) uses {to} (tier {other}): only lower tiers are allowed"
                ));
            }
            for (users, banned) in NEVER {
                if users.contains(&name) && banned.contains(&to) {
                    problems.push(format!("{name} must never link {to}"));
                }
            }
        }
    }
    Ok(())
}

fn files(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .context("git ls-files")?;
    for name in String::from_utf8_lossy(&output.stdout).split('\0') {
        if name.is_empty() || name == "xtask/src/tidy.rs" || name == "Cargo.lock" {
            continue;
        }
        let Ok(text) = fs::read_to_string(root.join(name)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for path in MACHINE_PATHS {
                if line.contains(path) {
                    problems.push(format!(
                        "{name}:{}: a path of a machine: {path}",
                        number + 1
                    ));
                }
            }
        }
        let source = Path::new(name).extension().is_some_and(|e| e == "rs");
        if source && !name.contains("/tests/") && !text.starts_with("//!") && !text.is_empty() {
            problems.push(format!(
                "{name}: the first line does not tell what the file owns (//!)"
            ));
        }
    }
    Ok(())
}
