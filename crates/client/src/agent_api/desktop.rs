//! The desktop of the workspace.

use std::time::Duration;

use api_types::{DesktopAction, DesktopActionResponse, DesktopRecordingRequest, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use uuid::Uuid;

use super::AgentApi;
use super::git::Socket;
use crate::Error;

/// The first action starts a screen, which takes as long as the machine needs.
const ACTION: Duration = Duration::from_mins(1);
/// An agent gives its program 15 seconds to finish a film, and ten for a picture of it.
const FINISH: Duration = Duration::from_secs(90);
/// The largest film with its picture; agents stop at 100 and 10 MiB.
const MAX_RECORDING: usize = 111 << 20;

/// The screen in the remote framebuffer protocol (RFC 6143).
pub struct DesktopView(Socket);

impl DesktopView {
    /// The next bytes of the screen; `None` when it is gone.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.0.next_bytes().await
    }

    /// Bytes for the screen.
    pub async fn send(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.0.send_bytes(bytes).await
    }
}

/// A film of the desktop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesktopRecording {
    /// MP4.
    pub video: Bytes,
    /// JPEG, if there is one.
    pub picture: Option<Bytes>,
}

impl AgentApi {
    /// Watches the desktop, which is started if there is none.
    pub async fn desktop(&self) -> Result<DesktopView, Error> {
        let call = self.get("/api/v0/desktop/vnc").patience(ACTION);
        Socket::open(call).await.map(DesktopView)
    }

    /// Does one thing on the desktop, which is started if there is none.
    pub async fn desktop_act(
        &self,
        action: &DesktopAction,
    ) -> Result<DesktopActionResponse, Error> {
        let call = self.post("/api/v0/desktop/action").json(action)?;
        call.patience(ACTION).decode().await
    }

    /// Begins a film of the desktop; one of this id that is being made goes on.
    pub async fn desktop_record(&self, id: Uuid) -> Result<(), Error> {
        let call = self.post("/api/v0/desktop/recording/start");
        let call = call.json(&recording(id))?.patience(ACTION);
        call.decode::<Response>().await.map(drop)
    }

    /// Ends a film and gets it.
    pub async fn desktop_recorded(&self, id: Uuid) -> Result<DesktopRecording, Error> {
        let call = self.post("/api/v0/desktop/recording/stop");
        let answer = call.json(&recording(id))?.patience(FINISH).send().await?;
        let url = answer.url.clone();
        let kind = answer.response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = kind
            .split(';')
            .filter_map(|part| part.trim().strip_prefix("boundary="))
            .map(|boundary| boundary.trim_matches('"').to_owned())
            .next();
        let body = answer.bytes(MAX_RECORDING).await?;
        let boundary = boundary.filter(|boundary| !boundary.is_empty());
        let parts = boundary.map(|boundary| parts(&body, &boundary));
        let mut recording = None;
        for (kind, data) in parts.unwrap_or_default() {
            match (kind.as_str(), &mut recording) {
                ("video/mp4", None) => {
                    recording = Some(DesktopRecording {
                        video: data,
                        picture: None,
                    });
                }
                ("image/jpeg", Some(recording)) => recording.picture = Some(data),
                _ => {}
            }
        }
        recording.ok_or_else(|| Error::decode(&url, "the agent sent no film"))
    }
}

fn recording(id: Uuid) -> DesktopRecordingRequest {
    DesktopRecordingRequest {
        recording_id: id.to_string(),
    }
}

/// The parts of a multipart body (RFC 2046) that are whole, with their types.
fn parts(body: &Bytes, boundary: &str) -> Vec<(String, Bytes)> {
    let line = format!("\r\n--{boundary}");
    // The first boundary has no line before it.
    let Some(mut at) = find(body, &line.as_bytes()[2..]).map(|at| at + line.len() - 2) else {
        return Vec::new();
    };
    let mut parts = Vec::new();
    while body[at..].starts_with(b"\r\n") {
        let Some(end) = find(&body[at..], line.as_bytes()).map(|end| at + end) else {
            break;
        };
        let part = body.slice(at..end);
        if let Some(head) = find(&part, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&part[..head]).to_ascii_lowercase();
            let kind = text
                .lines()
                .filter_map(|line| line.strip_prefix("content-type:"))
                .map(|kind| kind.trim().to_owned())
                .next();
            parts.push((kind.unwrap_or_default(), part.slice(head + 4..)));
        }
        at = end + line.len();
    }
    parts
}

fn find(all: &[u8], what: &[u8]) -> Option<usize> {
    all.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_apart() {
        let body = "--b\r\nContent-Type: video/mp4\r\n\r\nfi\r\n--lm\r\n--b\r\ncontent-type: \
                    image/jpeg\r\n\r\n\r\n--b--\r\n";
        let parts = parts(&Bytes::from(body), "b");
        let expected = [("video/mp4", "fi\r\n--lm"), ("image/jpeg", "")];
        assert_eq!(parts.len(), 2);
        for ((kind, data), expected) in parts.iter().zip(expected) {
            assert_eq!(
                (kind.as_str(), &data[..]),
                (expected.0, expected.1.as_bytes())
            );
        }
        // What was cut in the middle is not there.
        for cut in 0..body.len() - 8 {
            let whole = super::parts(&Bytes::from(&body[..cut]), "b");
            assert!(whole.len() <= 1, "{cut}");
        }
        assert!(super::parts(&Bytes::from_static(b"--"), "b").is_empty());
    }
}
