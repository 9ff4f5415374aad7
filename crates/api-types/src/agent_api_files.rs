//! Files of a workspace: bodies of the agent's own HTTP API, which is served inside the tunnel.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

string_enum! {
    /// Values of `LSRelativity`: what a path of segments starts from.
    pub enum LsRelativity {
        Root = "root",
        Home = "home",
    }
}

/// `LSRequest`: a directory by segments; unused where the query names an absolute path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LsRequest {
    #[serde(deserialize_with = "crate::null_default")]
    pub path: Vec<String>,
    pub relativity: LsRelativity,
}

/// `LSResponse`: directories first, then files, each by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LsResponse {
    #[serde(deserialize_with = "crate::null_default")]
    pub absolute_path: Vec<String>,
    pub absolute_path_string: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub contents: Vec<LsFile>,
}

/// `LSFile`: an entry of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LsFile {
    pub name: String,
    pub absolute_path_string: String,
    pub is_dir: bool,
}

/// `ResolvePathResponse`: a path with its symbolic links followed as far as it exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResolvePathResponse {
    pub resolved_path: String,
}

/// Bounds of one `read-file-lines` request; sent as query parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadFileLinesLimits {
    /// Bytes that a file may have.
    pub max_file_size: u64,
    /// Bytes of a line before it is cut.
    pub max_line_bytes: u64,
    /// Lines in one answer.
    pub max_response_lines: u64,
    /// Bytes of text in one answer.
    pub max_response_bytes: u64,
}

impl Default for ReadFileLinesLimits {
    fn default() -> Self {
        Self {
            max_file_size: 1 << 20,
            max_line_bytes: 1024,
            max_response_lines: 2000,
            max_response_bytes: 32 << 10,
        }
    }
}

/// `ReadFileLinesResponse`: numbered lines, or why there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadFileLinesResponse {
    pub success: bool,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub file_size: u64,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub total_lines: u64,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub lines_read: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// `FileEdit`: one text to find and what takes its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEdit {
    pub search: String,
    pub replace: String,
    #[serde(skip_serializing_if = "crate::is_default")]
    pub replace_all: bool,
}

/// `FileEdits`: edits of one file, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEdits {
    pub path: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub edits: Vec<FileEdit>,
}

/// `FileEditRequest`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEditRequest {
    #[serde(deserialize_with = "crate::null_default")]
    pub files: Vec<FileEdits>,
    /// Whether the answer shows what has changed.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub include_diff: bool,
}

/// `FileEditResponse`; has files only where a diff was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEditResponse {
    #[serde(
        deserialize_with = "crate::null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub files: Vec<FileEditResult>,
}

/// `FileEditResult`: a unified diff of the file by the name that the caller gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEditResult {
    pub path: String,
    pub diff: String,
}

/// `BundleFilesRequest`: paths and patterns to collect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BundleFilesRequest {
    #[serde(deserialize_with = "crate::null_default")]
    pub paths: Vec<String>,
}

/// `BundleFilesManifest`: `manifest.json` of the archive that `bundle-files` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BundleFilesManifest {
    #[serde(deserialize_with = "crate::null_default")]
    pub requested: Vec<String>,
    #[serde(deserialize_with = "crate::null_default")]
    pub files: Vec<BundleFilesManifestEntry>,
    #[serde(deserialize_with = "crate::null_default")]
    pub errors: Vec<BundleFilesManifestError>,
    pub truncated: bool,
    pub limits: BundleFilesLimits,
}

/// `BundleFilesManifestEntry`: a file in the archive; of a long one, its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BundleFilesManifestEntry {
    pub requested: String,
    pub path: String,
    pub archive_path: String,
    pub size: u64,
    pub mod_time: DateTime<Utc>,
    pub bytes_written: u64,
    pub truncated: bool,
}

/// `BundleFilesManifestError`: why something is not in the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BundleFilesManifestError {
    pub requested: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    pub reason: String,
}

/// `BundleFilesLimits`: what bounded the collection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BundleFilesLimits {
    pub max_files: usize,
    pub max_bytes_per_file: u64,
    pub max_total_bytes: u64,
}
