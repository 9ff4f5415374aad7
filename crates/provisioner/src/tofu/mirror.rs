//! A mirror in which `init` finds the `coder` provider in whatever version a template asks for.
//!
//! Our provider serves every version of the 2.x and older templates, but `init` compares numbers.
//! What lies in the mirror is a small script: it is installed, never started, because all other
//! commands use the override.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use semver::Version;
use sha2::{Digest, Sha256};

use super::cli_config::ADDRESSES;
use crate::hcl::Configuration;

/// Versions that satisfy what most templates say: the last ones of each major version.
const USUAL: [Version; 3] = [
    Version::new(0, 23, 0),
    Version::new(1, 0, 4),
    Version::new(2, 19, 0),
];
/// Versions in one mirror.
const MAX_VERSIONS: usize = 200;

/// The constraints that a configuration's modules put on the provider.
pub(super) fn constraints(configuration: &Configuration) -> Vec<String> {
    let mut found = BTreeSet::new();
    for module in configuration.modules.values() {
        for (name, required) in &module.required_providers {
            let ours = if required.source.is_empty() {
                name == "coder"
            } else {
                is_coder(&required.source)
            };
            if let (true, Some(version)) = (ours, &required.version) {
                found.insert(version.clone());
            }
        }
    }
    found.into_iter().collect()
}

/// Whether a provider source means the provider that we serve.
pub(super) fn is_coder(source: &str) -> bool {
    source == "coder/coder" || ADDRESSES.contains(&source)
}

/// Versions among which one satisfies the constraints, if any version does.
fn candidates(constraints: &[String]) -> BTreeSet<Version> {
    let mut versions: BTreeSet<Version> = USUAL.into();
    for part in constraints.iter().flat_map(|c| c.split(',')) {
        let number = part
            .trim()
            .trim_start_matches(['=', '!', '<', '>', '~', ' ', 'v']);
        let numbers: Vec<u64> = number
            .split('.')
            .map_while(|n| n.trim().parse().ok())
            .collect();
        let [major, minor, patch] = [0, 1, 2].map(|i| numbers.get(i).copied().unwrap_or(0));
        if numbers.is_empty() || versions.len() >= MAX_VERSIONS {
            continue;
        }
        // The number itself, the ones just above it, and the one below: each operator is
        // satisfied by one of these.
        versions.insert(Version::new(major, minor, patch));
        versions.insert(Version::new(major, minor, patch.saturating_add(1)));
        versions.insert(Version::new(major, minor.saturating_add(1), 0));
        if patch > 0 {
            versions.insert(Version::new(major, minor, patch - 1));
        } else if minor > 0 {
            versions.insert(Version::new(major, minor - 1, 999));
        }
    }
    versions
}

/// Makes the mirror for these constraints below `cache`, if it is not there yet.
pub(super) fn prepare(cache: &Path, constraints: &[String]) -> io::Result<PathBuf> {
    let versions = candidates(constraints);
    let names: Vec<_> = versions.iter().map(ToString::to_string).collect();
    let key = hex::encode(&Sha256::digest(names.join(" "))[..8]);
    let target = cache.join("mirrors").join(key);
    if target.is_dir() {
        return Ok(target);
    }
    let parent = cache.join("mirrors");
    std::fs::create_dir_all(&parent)?;
    let fresh = tempfile::Builder::new()
        .prefix(".mirror-")
        .tempdir_in(&parent)?;
    for address in ADDRESSES {
        for version in &names {
            let dir = fresh.path().join(address).join(version).join(platform());
            std::fs::create_dir_all(&dir)?;
            let file = dir.join(format!("terraform-provider-coder_v{version}"));
            std::fs::write(
                &file,
                "#!/bin/sh\necho 'The coder provider is served by the provisioner itself.' >&2\nexit 1\n",
            )?;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
        }
    }
    std::fs::set_permissions(fresh.path(), std::fs::Permissions::from_mode(0o755))?;
    match std::fs::rename(fresh.path(), &target) {
        Ok(()) => {
            // It has another name now; there is nothing left to remove.
            let _ = fresh.keep();
            Ok(target)
        }
        // Another build made the same one meanwhile.
        Err(_) if target.is_dir() => Ok(target),
        Err(e) => Err(e),
    }
}

/// This machine in Terraform's words.
fn platform() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    format!("{os}_{arch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_is_asked_for() {
        let asked = [
            "~> 0.6.17, != 0.6.18".to_owned(),
            ">= 2.30".to_owned(),
            "< 0.5".to_owned(),
        ];
        let versions = candidates(&asked);
        for version in ["0.6.17", "2.30.0", "0.4.999", "2.19.0"] {
            assert!(
                versions.contains(&Version::parse(version).unwrap()),
                "{version}"
            );
        }
        for nonsense in [
            "",
            "latest",
            "18446744073709551616",
            "1.18446744073709551615.0",
        ] {
            let _ = candidates(&[nonsense.to_owned()]);
        }
    }
}
