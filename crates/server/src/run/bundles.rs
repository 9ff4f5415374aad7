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

    /// Lets the system forget the pages of what has been unpacked: each is read once, and would
    /// count as this process's memory for as long as it runs.
    pub(super) fn release(&self) {
        for packed in [self.postgres, self.tofu, self.slim].into_iter().flatten() {
            release_pages(packed);
        }
    }
}

/// Drops the whole pages of a part of the program's file from this process; a later read brings
/// them back from the file.
fn release_pages(bytes: &'static [u8]) {
    /// Pages may be larger, never smaller.
    const PAGE: usize = 64 * 1024;
    let start = (bytes.as_ptr() as usize).next_multiple_of(PAGE);
    let end = (bytes.as_ptr() as usize + bytes.len()) / PAGE * PAGE;
    if end <= start {
        return;
    }
    let Some(address) = std::ptr::NonNull::new(start as *mut std::ffi::c_void) else {
        return;
    };
    let advice = nix::sys::mman::MmapAdvise::MADV_DONTNEED;
    // SAFETY: the range lies within a constant of this program, which is mapped from its file and
    // never written; such pages hold the same bytes when they are read again.
    if let Err(error) = unsafe { nix::sys::mman::madvise(address, end - start, advice) } {
        tracing::debug!(%error, "the pages of a packed program stay in memory");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn released_pages_read_the_same_again() {
        static PACKED: [u8; 512 * 1024] = [7; 512 * 1024];
        super::release_pages(&PACKED);
        super::release_pages(&PACKED[..10]);
        assert!(PACKED.iter().all(|b| *b == 7));
    }
}
