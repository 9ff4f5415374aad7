//! Routes of files.

use std::sync::Arc;
use std::time::Duration;

use api_types::{
    BundleFilesRequest, FileEditRequest, FileEditResponse, LsResponse, ReadFileLinesLimits,
    ReadFileLinesResponse, ResolvePathResponse, Response,
};
use axum::body::Body;
use axum::extract::State;
use axum::response::Json;
use http::{HeaderMap, Uri, header};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::failure::{Failure, message};
use super::query::Query;
use super::{body, chat};
use crate::files::write::Replacement;
use crate::files::{self, FileError, bundle as bundling, edit as editing, lines};

/// Bytes read of a file at once.
const READ: usize = 64 * 1024;

/// Runs what waits for disks on a thread for that.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Failure::system("The request failed.").because(error)),
    }
}

pub async fn list(uri: Uri, request: Body) -> Result<Json<LsResponse>, Failure> {
    let mut query = Query::of(&uri);
    let path = query.text("path");
    query.finish()?;
    let request = body::json(request).await?;
    let listed = on_thread(move || files::list::list(&path, &request)).await?;
    Ok(Json(listed))
}

pub async fn resolve(uri: Uri) -> Result<Json<ResolvePathResponse>, Failure> {
    let mut query = Query::of(&uri);
    let path = query.required("path");
    query.finish()?;
    let resolved = on_thread(move || files::resolve(&path)).await?;
    Ok(Json(ResolvePathResponse {
        resolved_path: resolved.to_string_lossy().into_owned(),
    }))
}

pub async fn read(uri: Uri) -> Result<axum::response::Response, Failure> {
    let mut query = Query::of(&uri);
    let path = query.required("path");
    let offset = query.number("offset", 0);
    let limit = query.number("limit", 0);
    query.finish()?;
    let part = on_thread(move || files::read::part(&path, offset, limit)).await?;
    let file = tokio::fs::File::from_std(part.file).take(part.bytes);
    let body = Body::from_stream(ReaderStream::with_capacity(file, READ));
    let mut response = axum::response::Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(part.media_type),
    );
    if part.exact {
        headers.insert(header::CONTENT_LENGTH, part.bytes.into());
    }
    Ok(response)
}

pub async fn read_lines(uri: Uri) -> Result<Json<ReadFileLinesResponse>, Failure> {
    let mut query = Query::of(&uri);
    let default = ReadFileLinesLimits::default();
    let path = query.required("path");
    let offset = query.number("offset", 1);
    let limit = query.number("limit", 0);
    let limits = ReadFileLinesLimits {
        max_file_size: query.number("max_file_size", default.max_file_size),
        max_line_bytes: query.number("max_line_bytes", default.max_line_bytes),
        max_response_lines: query.number("max_response_lines", default.max_response_lines),
        max_response_bytes: query.number("max_response_bytes", default.max_response_bytes),
    };
    query.finish()?;
    on_thread(move || Ok(Json(lines::read(&path, offset, limit, limits)))).await
}

pub async fn write(
    State(state): State<Arc<super::State>>,
    headers: HeaderMap,
    uri: Uri,
    mut request: Body,
) -> Result<Json<Response>, Failure> {
    let mut query = Query::of(&uri);
    let path = query.required("path");
    query.finish()?;
    let begin = path.clone();
    let mut file = on_thread(move || Replacement::begin(&begin)).await?;
    while let Some(bytes) = body::next(&mut request).await? {
        file = on_thread(move || {
            file.write(&bytes)?;
            Ok(file)
        })
        .await?;
    }
    on_thread(move || file.finish()).await?;
    state
        .chats
        .add(&chat::line(&headers), std::slice::from_ref(&path));
    Ok(message(format!("Successfully wrote to {path:?}")))
}

pub async fn edit(
    State(state): State<Arc<super::State>>,
    headers: HeaderMap,
    request: Body,
) -> Result<Json<FileEditResponse>, Failure> {
    let request: FileEditRequest = body::json(request).await?;
    let paths: Vec<_> = request.files.iter().map(|file| file.path.clone()).collect();
    let edited = on_thread(move || editing::edit(&request)).await?;
    state.chats.add(&chat::line(&headers), &paths);
    Ok(Json(edited))
}

/// How long a bundle may take to be collected and sent.
const BUNDLE: Duration = Duration::from_mins(5);
/// Parts of a bundle that may wait for the client, of [`bundling::PART`] bytes.
const BUNDLE_QUEUE: usize = 4;

pub async fn bundle(request: Body) -> Result<axum::response::Response, Failure> {
    let request: BundleFilesRequest = body::json(request).await?;
    let (parts, mut sent) = tokio::sync::mpsc::channel(BUNDLE_QUEUE);
    let until = std::time::Instant::now() + BUNDLE;
    tokio::task::spawn_blocking(move || {
        let archive = bundling::Parts::new(parts);
        if let Err(error) = bundling::collect(&request, until, archive) {
            tracing::debug!(%error, "a bundle of files was not sent to its end");
        }
    });
    let stream = futures::stream::poll_fn(move |cx| sent.poll_recv(cx));
    let mut response = axum::response::Response::new(Body::from_stream(stream));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/x-tar"),
    );
    Ok(response)
}
