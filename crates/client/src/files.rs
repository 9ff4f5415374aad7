//! Uploaded archives.

use api_types::UploadResponse;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Client, Error};

/// The largest archive that a server takes or gives.
pub const MAX_ARCHIVE: usize = 100 << 20;

impl Client {
    /// Uploads a tar archive.
    pub async fn file_upload(&self, archive: impl Into<Bytes>) -> Result<UploadResponse, Error> {
        self.post("/api/v2/files")
            .bytes_body(archive, "application/x-tar")
            .decode()
            .await
    }

    /// Downloads an archive as tar, or as zip.
    pub async fn file_download(&self, id: Uuid, zip: bool) -> Result<Vec<u8>, Error> {
        self.get(&format!("/api/v2/files/{id}"))
            .query_if("format", zip.then_some("zip"))
            .read(MAX_ARCHIVE)
            .await
    }
}
