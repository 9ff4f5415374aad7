//! JSON bodies, in and out.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ApiError;

/// Largest JSON body: 4 MiB, far above any honest request.
pub const MAX_JSON_BODY: usize = 4 << 20;

/// The one media type of the API.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A JSON body. As an extractor it ignores unknown fields, whatever follows
/// the value, and the media type, as clients of the API expect; malformed or
/// too deeply nested JSON is a 400, a body above [`MAX_JSON_BODY`] a 413.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read_body(request.into_body(), MAX_JSON_BODY).await?;
        decode(&body).map(Json)
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    T::deserialize(&mut json).map_err(|error| {
        ApiError::bad_request("Request body must be valid JSON.").with_detail(error.to_string())
    })
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// 413 if it is larger, 400 if the client broke off.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Request body is larger than {limit} bytes."),
        )),
        Err(error) => {
            Err(ApiError::bad_request("Request body could not be read.")
                .with_detail(error.to_string()))
        }
    }
}

/// A value as JSON that is safe within HTML, with a newline at its end.
pub(crate) fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::with_capacity(512);
    if let Err(error) = serde_json::to_writer(&mut json, value) {
        // Only a map with keys that are no texts fails; none of ours has.
        tracing::error!(%error, "a response could not be encoded");
    }
    json.push(b'\n');
    if !json.iter().any(|b| matches!(b, b'<' | b'>' | b'&')) {
        return json;
    }
    // In JSON these stand within texts only, where an escape means the same.
    let mut safe = Vec::with_capacity(json.len() + 64);
    for byte in json {
        match byte {
            b'<' => safe.extend_from_slice(br"\u003c"),
            b'>' => safe.extend_from_slice(br"\u003e"),
            b'&' => safe.extend_from_slice(br"\u0026"),
            other => safe.push(other),
        }
    }
    safe
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(json_bytes(&self.0)));
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped() {
        let text = String::from_utf8(json_bytes(&"a<b>&c")).unwrap();
        assert_eq!(text, "\"a\\u003cb\\u003e\\u0026c\"\n");
    }

    #[test]
    fn decoding_is_lenient_but_not_deep() {
        #[derive(serde::Deserialize)]
        struct Name {
            name: String,
        }
        let ok: Name = decode(br#"{"name":"x","unknown":[1]} trailing"#).unwrap();
        assert_eq!(ok.name, "x");
        let deep = format!("{{\"unknown\":{}", "[".repeat(10_000));
        for bad in ["", "{", "nul", "{\"name\":1}", deep.as_str()] {
            let error = decode::<Name>(bad.as_bytes()).err().unwrap();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        }
    }
}
