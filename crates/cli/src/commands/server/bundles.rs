//! What travels inside this program, packed when it was built.

use std::path::PathBuf;

use anyhow::{Context, Result};
use server::Bundles;

include!(concat!(env!("OUT_DIR"), "/bundles.rs"));

/// Everything that was packed, and what stands beside this program instead.
pub fn all() -> Result<Bundles> {
    let program = std::env::current_exe().context("find this program")?;
    let beside: PathBuf = program.with_file_name("coder-slim");
    Ok(Bundles {
        postgres: POSTGRES,
        tofu: TOFU,
        slim: SLIM,
        slim_file: beside.is_file().then_some(beside),
        program,
    })
}
