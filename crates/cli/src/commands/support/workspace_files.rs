//! Files of the workspace that the person wants in a bundle: the agent packs
//! them as a tar archive.

use std::io::Read;

use anyhow::{Context, Result};
use api_types::BundleFilesRequest;
use client::agent_api::AgentApi;

use super::gather::Gathered;

/// Agents stop at 100 MiB; a broken one may not.
const MAX_FILES: u64 = 110 << 20;
/// Where the files stand in a bundle.
const FOLDER: &str = "agent/workspace_files";

/// Adds the files that match `patterns`.
pub async fn add(gathered: &mut Gathered, api: &AgentApi, patterns: &[String]) {
    if patterns.is_empty() {
        return;
    }
    let request = BundleFilesRequest {
        paths: patterns.to_vec(),
    };
    let unpacked = match api.bundle_files(&request).await {
        Ok(archive) => unpack(&archive),
        Err(error) => Err(error.into()),
    };
    match unpacked {
        Ok(files) => {
            for (name, bytes) in files {
                gathered.bytes::<String>(&format!("{FOLDER}/{name}"), Ok(bytes));
            }
        }
        Err(error) => gathered.note(&format!("{FOLDER}: {error:#}")),
    }
}

/// Names in the archive are the workspace's: those that lead out of a folder
/// are made harmless.
fn unpack(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut left = MAX_FILES;
    for entry in tar::Archive::new(archive)
        .entries()
        .context("read the archive")?
    {
        let entry = entry.context("read the archive")?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().context("read a name in the archive")?;
        let parts: Vec<String> = path
            .components()
            .filter_map(|part| match part {
                std::path::Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            })
            .collect();
        let name = parts.join("/");
        let mut bytes = Vec::new();
        entry
            .take(left)
            .read_to_end(&mut bytes)
            .with_context(|| format!("read {name}"))?;
        left -= bytes.len() as u64;
        files.push((name, bytes));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o600);
        let name = b"../../etc/passwd";
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        tar.append(&header, &b"x"[..]).unwrap();
        let files = unpack(&tar.into_inner().unwrap()).unwrap();
        assert_eq!(files, [("etc/passwd".to_owned(), b"x".to_vec())]);
        assert!(unpack(b"garbage that is no archive").is_err() || unpack(b"").unwrap().is_empty());
    }
}
