//! What travels in the program, as the command line hands it over.

use std::path::PathBuf;

use crate::{Binaries, BinarySource};

/// Packed programs and where this one is. An absent part is said to be absent
/// when it is needed.
#[derive(Debug, Clone, Default)]
pub struct Bundles {
    /// PostgreSQL, `tar.zst`.
    pub postgres: Option<&'static [u8]>,
    /// OpenTofu, one program, zstd.
    pub tofu: Option<&'static [u8]>,
    /// Agent and client for workspaces, zstd.
    pub slim: Option<&'static [u8]>,
    /// Agent and client as a file: used when none is packed, as in development.
    pub slim_file: Option<PathBuf>,
    /// This program, which also serves the Terraform provider.
    pub program: PathBuf,
}

impl Bundles {
    /// What the server hands out under `/bin`.
    pub(super) fn binaries(&self) -> Binaries {
        let source = match (&self.slim, &self.slim_file) {
            (Some(bytes), _) => Some(BinarySource::Zstd(bytes)),
            (None, Some(path)) => Some(BinarySource::File(path.clone())),
            (None, None) => None,
        };
        Binaries::new(source.map(|source| ("coder-linux-amd64".to_owned(), source)))
    }
}
