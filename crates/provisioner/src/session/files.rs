//! Reading a template back from its directory, with the modules that `init` installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::hcl::SourceFile;

/// Directories below the template that are followed.
const MAX_DEPTH: usize = 24;
/// Configuration files that are read.
const MAX_FILES: usize = 20_000;
/// Bytes of one file that is read; larger ones are no configuration.
const MAX_BYTES: u64 = 4 << 20;

/// All configuration files below a directory by relative path, and the list of modules.
/// Unreadable ones are left out: Terraform will name them.
pub fn configuration_files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    walk(directory, "", 0, &mut files);
    files
}

fn walk(directory: &Path, prefix: &str, depth: usize, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
            continue;
        };
        let relative = format!("{prefix}{name}");
        if kind.is_dir() {
            let hidden = name.starts_with('.') && name != ".terraform";
            let skipped = hidden || relative == ".terraform/providers";
            if !skipped && depth < MAX_DEPTH {
                walk(&entry.path(), &format!("{relative}/"), depth + 1, files);
            }
            continue;
        }
        let wanted = SourceFile::is_source(&name) || name == "modules.json";
        let small = fs::metadata(entry.path()).is_ok_and(|m| m.is_file() && m.len() <= MAX_BYTES);
        if wanted
            && small
            && files.len() < MAX_FILES
            && let Ok(content) = fs::read(entry.path())
        {
            files.insert(relative, content);
        }
    }
}
