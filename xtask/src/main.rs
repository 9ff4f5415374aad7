//! Project automation: `cargo xtask <command>`.
//!
//! Kept to what neither cargo nor the shell does well by itself.

mod audit;
mod tidy;
mod vendor;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask <command>

  vendor        fetch and pack PostgreSQL and OpenTofu into target/vendor (does nothing when up to date)
  pack IN OUT   compress one file with zstd, as the server binary embeds it
  audit         check the licences and sources of all dependencies
  tidy          check the rules of the house: crate tiers, paths, generated files
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["vendor"] => vendor::run(&root()),
        ["pack", input, output] => vendor::pack_file(Path::new(input), Path::new(output)),
        ["tidy"] => tidy::run(&root()),
        ["audit"] => audit::run(&root()),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("unknown command {other:?}\n\n{HELP}"),
    }
}

/// The workspace root: the parent of this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
