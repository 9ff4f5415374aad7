//! Embeds the starter templates, and in the full build what travels inside
//! the program: PostgreSQL, OpenTofu and the slim binary, where they have
//! been packed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(env("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(env("OUT_DIR"));
    starters(&root.join("templates"), &out.join("starters.rs"));
    bundles(&root.join("target/vendor"), &out.join("bundles.rs"));
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Lists every file of every directory of `templates`.
fn starters(templates: &Path, out: &Path) {
    println!("cargo::rerun-if-changed={}", templates.display());
    let mut text = String::from("static STARTERS: &[Starter] = &[\n");
    for dir in sorted(templates).into_iter().filter(|d| d.is_dir()) {
        let id = dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut files = Vec::new();
        collect(&dir, &mut files);
        let _ = writeln!(text, "    Starter {{ id: {id:?}, files: &[");
        for file in files {
            println!("cargo::rerun-if-changed={}", file.display());
            let name = file
                .strip_prefix(&dir)
                .unwrap_or(&file)
                .to_string_lossy()
                .replace('\\', "/");
            let _ = writeln!(
                text,
                "        ({name:?}, include_bytes!({:?})),",
                file.display().to_string()
            );
        }
        text.push_str("    ] },\n");
    }
    text.push_str("];\n");
    write(out, &text);
}

/// One constant per packed part; an absent one is `None`, and the server then
/// says what it lacks.
fn bundles(vendor: &Path, out: &Path) {
    let mut text = String::new();
    let full = std::env::var_os("CARGO_FEATURE_FULL").is_some();
    for (name, file) in [
        ("POSTGRES", "postgres.tar.zst"),
        ("TOFU", "tofu.zst"),
        ("SLIM", "coder-slim.zst"),
    ] {
        let path = vendor.join(file);
        // The slim program is packed after it was built: it must not wait for itself.
        if full {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        // Development builds hand out the slim binary beside them: a packed one is of an earlier day.
        let stale = name == "SLIM" && env("PROFILE") == "debug";
        let value = if path.is_file() && full && !stale {
            format!("Some(include_bytes!({:?}))", path.display().to_string())
        } else {
            "None".to_owned()
        };
        let _ = writeln!(
            text,
            "/// `{file}`.\npub static {name}: Option<&[u8]> = {value};"
        );
    }
    write(out, &text);
}

fn sorted(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|e| e.ok().map(|e| e.path()))
        .collect();
    found.sort();
    found
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for path in sorted(dir) {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn write(out: &Path, text: &str) {
    if let Err(error) = std::fs::write(out, text) {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
}
