//! Routes of the desktop: watching it, acting on it, filming it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use api_types::{DesktopAction, DesktopActionResponse, DesktopRecordingRequest, Response};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Json;
use futures::{SinkExt as _, StreamExt as _};
use http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::body;
use super::failure::{Failure, message};
use crate::desktop::{DesktopError, Recorded, RecordingError};

/// Bytes that are read of the screen at once.
const BUFFER: usize = 64 << 10;
/// Bytes of a message of a viewer: keys, clicks, and what it pastes.
const MAX_MESSAGE: usize = 16 << 20;
/// Largest film, in bytes.
const MAX_VIDEO: u64 = 100 << 20;
/// Largest picture of a film, in bytes.
const MAX_PICTURE: u64 = 10 << 20;

fn refused(error: DesktopError) -> Failure {
    match error {
        DesktopError::Invalid(text) => Failure::bad_request(text),
        DesktopError::Absent => Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "Failed to start desktop session.",
        )
        .because(DesktopError::Absent),
        error @ (DesktopError::NotReady(_) | DesktopError::Start(_)) => {
            Failure::system("Failed to start desktop session.").because(error)
        }
        error @ DesktopError::Io(_) => Failure::system("The desktop failed.").because(error),
    }
}

/// Does it to its end even if whoever asked for it is gone: a key that is held would stay so, and a
/// screen that is half begun would not be ended.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::spawn(work).await;
    done.map_err(|error| Failure::system("The desktop failed.").because(error))
}

/// The screen in the remote framebuffer protocol.
pub async fn vnc(
    State(state): State<Arc<super::State>>,
    upgrade: WebSocketUpgrade,
) -> Result<axum::response::Response, Failure> {
    let desktop = state.desktop.clone();
    let screen = whole(async move { desktop.connect().await }).await?;
    let screen = screen.map_err(refused)?;
    let shutdown = state.workspace.shutdown.clone();
    Ok(upgrade
        .max_message_size(MAX_MESSAGE)
        .on_upgrade(move |socket| async move {
            tokio::select! {
                // Whoever leaves ends it.
                _ = relay(socket, screen) => {}
                () = shutdown.cancelled() => {}
            }
        }))
}

/// Passes bytes both ways until either side ends.
async fn relay(socket: WebSocket, screen: impl AsyncRead + AsyncWrite) -> Result<(), axum::Error> {
    let (mut told, mut asked) = socket.split();
    let (mut from, mut to) = tokio::io::split(screen);
    let show = async {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = from.read(&mut buffer).await.map_err(axum::Error::new)?;
            if read == 0 {
                return told.close().await;
            }
            let bytes = Bytes::copy_from_slice(&buffer[..read]);
            told.send(Message::Binary(bytes)).await?;
        }
    };
    let act = async {
        while let Some(message) = asked.next().await {
            match message? {
                Message::Binary(bytes) => {
                    to.write_all(&bytes).await.map_err(axum::Error::new)?;
                }
                Message::Close(_) => break,
                _ => {}
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = show => ended,
        ended = act => ended,
    }
}

pub async fn action(
    State(state): State<Arc<super::State>>,
    request: Body,
) -> Result<Json<DesktopActionResponse>, Failure> {
    let action: DesktopAction = body::json(request).await?;
    let desktop = state.desktop.clone();
    let done = whole(async move { desktop.act(&action).await }).await?;
    Ok(Json(done.map_err(refused)?))
}

async fn recording_id(request: Body) -> Result<Uuid, Failure> {
    let request: DesktopRecordingRequest = body::json(request).await?;
    if request.recording_id.is_empty() {
        return Err(Failure::bad_request("Missing recording_id."));
    }
    request.recording_id.parse().map_err(|_| {
        Failure::bad_request("Invalid recording_id format.")
            .because("recording_id must be a valid UUID.")
    })
}

fn not_recorded(error: RecordingError, what: &str) -> Failure {
    match error {
        RecordingError::Unknown => Failure::not_found("Recording not found.").because(error),
        RecordingError::Closed => Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Desktop API is shutting down.",
        ),
        RecordingError::Absent => {
            Failure::new(StatusCode::NOT_IMPLEMENTED, what).because(RecordingError::Absent)
        }
        RecordingError::Damaged => Failure::system("Recording is corrupted.").because(error),
        RecordingError::Desktop(error) => refused(error),
        error @ (RecordingError::TooMany | RecordingError::Io(_)) => {
            Failure::system(what).because(error)
        }
    }
}

pub async fn record(
    State(state): State<Arc<super::State>>,
    request: Body,
) -> Result<Json<Response>, Failure> {
    let id = recording_id(request).await?;
    let desktop = state.desktop.clone();
    let begun = whole(async move { desktop.record(id).await }).await?;
    begun.map_err(|error| not_recorded(error, "Failed to start recording."))?;
    Ok(message("Recording started."))
}

/// The film and its picture, as parts of one body.
pub async fn recorded(
    State(state): State<Arc<super::State>>,
    request: Body,
) -> Result<axum::response::Response, Failure> {
    const WHAT: &str = "Failed to stop recording.";
    let id = recording_id(request).await?;
    let desktop = state.desktop.clone();
    let recorded = whole(async move { desktop.recorded(id).await }).await?;
    let Recorded { video, picture } = recorded.map_err(|error| not_recorded(error, WHAT))?;
    let failed = |error: io::Error| Failure::system(WHAT).because(error);
    let (video, size) = open(&video).await.map_err(failed)?;
    if size > MAX_VIDEO {
        return Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Recording file exceeds maximum allowed size.",
        ));
    }
    // A film without a picture is one.
    let picture = open(&picture).await.ok();
    let picture = picture.filter(|(_, size)| (1..=MAX_PICTURE).contains(size));
    let boundary = format!("{:032x}", rand::random::<u128>());
    let part = |kind: &str| format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\n\r\n");
    let text =
        |text: String| futures::stream::once(async move { Ok::<_, io::Error>(Bytes::from(text)) });
    let body = text(part("video/mp4")[2..].to_owned()).chain(ReaderStream::new(video.take(size)));
    let end = text(format!("\r\n--{boundary}--\r\n"));
    let body = match picture {
        Some((picture, size)) => Body::from_stream(
            body.chain(text(part("image/jpeg")))
                .chain(ReaderStream::new(picture.take(size)))
                .chain(end),
        ),
        None => Body::from_stream(body.chain(end)),
    };
    axum::response::Response::builder()
        .header(
            header::CONTENT_TYPE,
            format!("multipart/mixed; boundary={boundary}"),
        )
        .body(body)
        .map_err(|error| Failure::system(WHAT).because(error))
}

async fn open(path: &Path) -> io::Result<(tokio::fs::File, u64)> {
    let file = tokio::fs::File::open(path).await?;
    let size = file.metadata().await?.len();
    Ok((file, size))
}
