//! Files of the workspace.

use std::time::Duration;

use api_types::{
    BundleFilesRequest, FileEditRequest, FileEditResponse, LsRequest, LsResponse,
    ReadFileLinesLimits, ReadFileLinesResponse, ResolvePathResponse, Response,
};
use bytes::Bytes;
use futures::Stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;

use super::AgentApi;
use super::request::Answer;
use crate::Error;

/// The largest bundle of files; agents stop at 100 MiB.
const MAX_BUNDLE: usize = 110 << 20;
/// How long a bundle may take to begin, or a file to be written.
const LONG: Duration = Duration::from_mins(5);
/// How long a file may take that comes from afar: half a gigabyte on a slow line. Agents give up
/// much sooner when nothing comes.
const UPLOAD: Duration = Duration::from_hours(2);

/// A file that is being read.
pub struct FileBody {
    answer: Answer,
}

impl FileBody {
    /// Media type by the file's name.
    pub fn media_type(&self) -> &str {
        let kind = self.answer.response.headers().get(CONTENT_TYPE);
        kind.and_then(|kind| kind.to_str().ok())
            .unwrap_or("application/octet-stream")
    }

    /// Bytes that will come, if that is known.
    pub fn length(&self) -> Option<u64> {
        self.answer
            .response
            .headers()
            .get(CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    }

    /// All of it, of at most `limit` bytes.
    pub async fn bytes(self, limit: usize) -> Result<Bytes, Error> {
        self.answer.bytes(limit).await
    }

    /// Part after part.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        futures::stream::unfold(self.answer, |mut answer| async move {
            loop {
                let frame = answer.response.body_mut().frame().await?;
                match frame.map_err(|e| Error::transport(&answer.url, &e)) {
                    Ok(frame) => {
                        if let Ok(bytes) = frame.into_data() {
                            return Some((Ok(bytes), answer));
                        }
                    }
                    Err(error) => return Some((Err(error), answer)),
                }
            }
        })
    }
}

impl AgentApi {
    /// Lists the directory at the absolute `path`, or with an empty one that of `request`.
    pub async fn list_directory(
        &self,
        path: &str,
        request: &LsRequest,
    ) -> Result<LsResponse, Error> {
        self.post("/api/v0/list-directory")
            .query("path", path)
            .json(request)?
            .decode()
            .await
    }

    /// Follows the symbolic links of a path as far as it exists.
    pub async fn resolve_path(&self, path: &str) -> Result<String, Error> {
        let call = self.get("/api/v0/resolve-path").query("path", path);
        let response: ResolvePathResponse = call.decode().await?;
        Ok(response.resolved_path)
    }

    /// Reads `limit` bytes (zero: all) from `offset`.
    pub async fn read_file(&self, path: &str, offset: u64, limit: u64) -> Result<FileBody, Error> {
        let call = self
            .get("/api/v0/read-file")
            .query("path", path)
            .query("offset", offset)
            .query("limit", limit);
        Ok(FileBody {
            answer: call.send().await?,
        })
    }

    /// Reads `limit` lines (zero: as many as one answer may have) from line `offset`,
    /// counted from one.
    pub async fn read_file_lines(
        &self,
        path: &str,
        offset: u64,
        limit: u64,
        limits: ReadFileLinesLimits,
    ) -> Result<ReadFileLinesResponse, Error> {
        self.get("/api/v0/read-file-lines")
            .query("path", path)
            .query("offset", offset)
            .query("limit", limit)
            .query("max_file_size", limits.max_file_size)
            .query("max_line_bytes", limits.max_line_bytes)
            .query("max_response_lines", limits.max_response_lines)
            .query("max_response_bytes", limits.max_response_bytes)
            .decode()
            .await
    }

    /// Writes a file, which is replaced as a whole at the end of `body`.
    pub async fn write_file(
        &self,
        path: &str,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.written(path, body, LONG).await
    }

    /// Like [`write_file`](Self::write_file), for what is still being received from somebody.
    pub async fn relay_file(
        &self,
        path: &str,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.written(path, body, UPLOAD).await
    }

    async fn written(
        &self,
        path: &str,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
        patience: Duration,
    ) -> Result<(), Error> {
        let call = self
            .post("/api/v0/write-file")
            .query("path", path)
            .stream(body);
        call.patience(patience).decode::<Response>().await.map(drop)
    }

    /// Edits files by search and replacement; all of them or none.
    pub async fn edit_files(&self, request: &FileEditRequest) -> Result<FileEditResponse, Error> {
        self.post("/api/v0/edit-files")
            .json(request)?
            .decode()
            .await
    }

    /// Collects files into a tar archive with a manifest.
    pub async fn bundle_files(&self, request: &BundleFilesRequest) -> Result<Bytes, Error> {
        let call = self.post("/api/v0/bundle-files").json(request)?;
        call.patience(LONG).read(MAX_BUNDLE).await
    }
}
