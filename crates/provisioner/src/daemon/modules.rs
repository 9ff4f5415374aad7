//! The modules of a template: their list, and an archive of those that came from elsewhere.

use std::fs;
use std::io;
use std::path::Path;

use rpc::proto::provisioner::Module;

use crate::hcl::Files;
use crate::hcl::installed_modules;
use crate::session::configuration_files;

/// Bytes of modules that are kept with a template version.
const MAX_BYTES: u64 = 20 << 20;
/// Where `init` puts them.
const DIRECTORY: &str = ".terraform/modules";

/// Modules that `init` found, by key.
pub(super) fn list(template: &Path) -> Vec<Module> {
    let files = Files::new(configuration_files(template));
    installed_modules(&files)
        .into_values()
        .map(|m| Module {
            source: m.source,
            version: m.version,
            key: m.key,
            dir: m.dir,
        })
        .collect()
}

/// What became of [`archive`].
#[derive(Debug, Default)]
pub(super) struct Archive {
    /// The tar; empty if there are no modules from elsewhere.
    pub tar: Vec<u8>,
    /// Keys of modules that were too large.
    pub left_out: Vec<String>,
}

/// Packs the modules that `init` fetched, smallest first, up to 20 MiB.
///
/// # Errors
/// When the disk cannot be read.
pub(super) fn archive(template: &Path, modules: &[Module]) -> io::Result<Archive> {
    let mut fetched: Vec<(u64, &Module)> = modules
        .iter()
        .filter(|m| m.dir.starts_with(DIRECTORY))
        .map(|m| (size(&template.join(&m.dir)), m))
        .collect();
    if fetched.is_empty() {
        return Ok(Archive::default());
    }
    fetched.sort_by_key(|(bytes, m)| (*bytes, m.key.clone()));
    let mut tar = tar::Builder::new(Vec::new());
    let list = fs::read(template.join(DIRECTORY).join("modules.json"))?;
    append(&mut tar, &format!("{DIRECTORY}/modules.json"), &list, false)?;
    let mut packed = std::collections::BTreeSet::new();
    let mut left_out = Vec::new();
    let mut total = 0;
    for (bytes, module) in fetched {
        if total + bytes > MAX_BYTES {
            left_out.push(module.key.clone());
            continue;
        }
        // Several modules may be parts of one checkout.
        if packed.insert(module.dir.clone()) {
            total += bytes;
            add(&mut tar, template, &module.dir)?;
        }
    }
    Ok(Archive {
        tar: tar.into_inner()?,
        left_out,
    })
}

fn entries(directory: &Path) -> Vec<(String, fs::FileType, std::path::PathBuf)> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.file_name() != ".git")
        .filter_map(|e| {
            Some((
                e.file_name().into_string().ok()?,
                e.file_type().ok()?,
                e.path(),
            ))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn size(directory: &Path) -> u64 {
    entries(directory)
        .iter()
        .map(|(_, kind, path)| match kind {
            kind if kind.is_dir() => size(path),
            kind if kind.is_file() => fs::metadata(path).map_or(0, |m| m.len()),
            _ => 0,
        })
        .sum()
}

fn add(tar: &mut tar::Builder<Vec<u8>>, root: &Path, relative: &str) -> io::Result<()> {
    for (name, kind, path) in entries(&root.join(relative)) {
        let inner = format!("{relative}/{name}");
        if kind.is_dir() {
            add(tar, root, &inner)?;
        } else if kind.is_file() {
            use std::os::unix::fs::PermissionsExt;
            let executable = fs::metadata(&path)?.permissions().mode() & 0o111 != 0;
            append(tar, &inner, &fs::read(&path)?, executable)?;
        }
    }
    Ok(())
}

fn append(
    tar: &mut tar::Builder<Vec<u8>>,
    path: &str,
    content: &[u8],
    executable: bool,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_uid(1000);
    header.set_gid(1000);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content)
}
