//! An OpenTofu for peers that look for one on `PATH`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

/// The system's OpenTofu, or the packed one unpacked into `dir`.
pub fn find(dir: &Path) -> Result<Option<PathBuf>> {
    if let Some(path) = std::env::var_os("CODER_TEST_TOFU") {
        return Ok(Some(PathBuf::from(path)));
    }
    let packed = crate::binaries::root().join("target/vendor/tofu.zst");
    if !packed.exists() {
        return Ok(None);
    }
    let out = dir.join("tofu");
    let status = Command::new("zstd")
        .args(["-q", "-d", "-f"])
        .arg(&packed)
        .arg("-o")
        .arg(&out)
        .status()?;
    ensure!(
        status.success(),
        "zstd could not unpack {}",
        packed.display()
    );
    let status = Command::new("chmod").arg("755").arg(&out).status()?;
    ensure!(status.success(), "chmod failed");
    Ok(Some(out))
}
