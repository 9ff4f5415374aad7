//! `/bin/`: the programs that workspaces and people fetch. Open to everyone.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use tower_http::compression::CompressionLayer;

use crate::binaries::{BinarySource, Facts};
use crate::extract::Path;
use crate::{ApiError, AppState};

/// Size of what is unpacked; clients show progress by it.
const ORIGINAL_LENGTH: HeaderName = HeaderName::from_static("x-original-content-length");

/// The routes, at the root.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/bin", get(list))
        .route("/bin/", get(list))
        .route("/bin/{name}", get(read))
        // Packs on the way what is not packed already.
        .layer(CompressionLayer::new())
}

async fn list(State(state): State<AppState>) -> Html<String> {
    let mut names: Vec<&str> = state.binaries.names().collect();
    names.sort_unstable();
    // Names are ours, so they need no escaping.
    let mut items = String::new();
    for name in names {
        items += &format!("<a href=\"/bin/{name}\">{name}</a>\n");
    }
    Html(format!("<pre>\n{items}</pre>\n"))
}

async fn read(
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // Older scripts say `coder_linux_amd64`.
    let name = name.replace('_', "-");
    let found = state.binaries.find(&name).await.map_err(|error| {
        tracing::error!(%error, %name, "a program to hand out cannot be read");
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("The program {name:?} cannot be read on the server; its log tells more."),
        )
    })?;
    let Some((facts, source)) = found else {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            format!("This server has no program {name:?}."),
        )
        .with_detail("See /bin/ for those that it has."));
    };
    let tag = format!("\"{}\"", facts.sha1);
    let mut response = if matches(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        content(&headers, &facts, &source)
    };
    let answer = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        answer.insert(header::ETAG, tag);
    }
    answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Ok(response)
}

fn content(headers: &HeaderMap, facts: &Facts, source: &BinarySource) -> Response {
    let packed = source.packed().filter(|_| accepts_zstd(headers));
    let mut response = Response::new(match packed {
        Some(packed) => Body::from(packed),
        None => Body::from_stream(source.stream()),
    });
    let answer = response.headers_mut();
    answer.insert(ORIGINAL_LENGTH, HeaderValue::from(facts.size));
    answer.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    if packed.is_some() {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
    } else {
        answer.insert(header::CONTENT_LENGTH, HeaderValue::from(facts.size));
    }
    response
}

fn matches(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

fn accepts_zstd(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim().eq_ignore_ascii_case("zstd") && quality.replace(' ', "") != "q=0"
        })
}
