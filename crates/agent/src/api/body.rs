//! Bodies of requests, bounded in size and in the time between their parts.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::StatusCode;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// Bytes of a body in JSON.
const MAX_JSON: usize = 4 * 1024 * 1024;
/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(20);

/// The next part of a body; `None` at its end.
pub async fn next(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        let frame = frame.map_err(|_| {
            Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                "The body of the request did not arrive in time.",
            )
        })?;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers mean nothing here.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => {
                return Err(Failure::bad_request("The body could not be read.").because(error));
            }
        }
    }
}

/// A body in JSON.
pub async fn json<T: DeserializeOwned>(mut body: Body) -> Result<T, Failure> {
    let mut text = Vec::new();
    while let Some(bytes) = next(&mut body).await? {
        if text.len() + bytes.len() > MAX_JSON {
            return Err(Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The body must not be larger than {MAX_JSON} bytes."),
            ));
        }
        text.extend_from_slice(&bytes);
    }
    serde_json::from_slice(&text)
        .map_err(|error| Failure::bad_request("Request body must be valid JSON.").because(error))
}
