//! How large a template archive may be.

/// Bounds on an archive, checked while reading it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files, directories and links together.
    pub entries: usize,
    /// Bytes of one file after unpacking.
    pub file_bytes: u64,
    /// Bytes of all files together after unpacking.
    pub total_bytes: u64,
    /// Bytes of one path.
    pub path_bytes: usize,
    /// Directories above one file.
    pub depth: usize,
}

impl Limits {
    /// Bounds for a template as uploaded. Real templates hold tens of files; ten thousand leaves
    /// room for vendored modules, and 100 MiB is what an upload may weigh.
    pub const TEMPLATE: Self = Self {
        entries: 10_000,
        file_bytes: 100 << 20,
        total_bytes: 100 << 20,
        path_bytes: 1024,
        depth: 64,
    };

    /// Bounds for an archive of downloaded modules, which are whole Git checkouts at times.
    pub const MODULES: Self = Self {
        entries: 50_000,
        ..Self::TEMPLATE
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::TEMPLATE
    }
}
