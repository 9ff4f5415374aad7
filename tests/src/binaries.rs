//! Where the binaries under test are.

use std::path::{Path, PathBuf};

/// The workspace root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The folder with the binaries that were built beside this test:
/// `target/debug` for `cargo test`, or what `CODER_TEST_BIN_DIR` names.
fn folder() -> PathBuf {
    if let Some(dir) = std::env::var_os("CODER_TEST_BIN_DIR") {
        return PathBuf::from(dir);
    }
    let exe = std::env::current_exe().unwrap_or_default();
    exe.parent()
        .and_then(Path::parent)
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The whole product.
pub fn coder() -> PathBuf {
    folder().join("coder")
}

/// Agent and client.
pub fn coder_slim() -> PathBuf {
    folder().join("coder-slim")
}
