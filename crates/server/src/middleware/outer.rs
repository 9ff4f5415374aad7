//! The outermost layer: gives each request an id, the client's address and a
//! log line, each response its headers, and turns a panic into a 500.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use uuid::Uuid;

use crate::apps::FromApp;
use crate::{ApiError, AppState};

const VERSION: HeaderValue = HeaderValue::from_static(api_types::VERSION);
const X_VERSION: HeaderName = HeaderName::from_static("x-coder-build-version");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-coder-request-id");

/// Facts of a request that handlers and the audit log want.
#[derive(Debug, Clone, Copy)]
pub struct RequestInfo {
    /// Its id, in the response as `X-Coder-Request-Id`.
    pub id: Uuid,
    /// Address of the client.
    pub ip: Option<IpAddr>,
}

pub(crate) async fn outer(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let ip = peer.map(|peer| state.http.proxies.client_ip(peer, request.headers()));
    request.extensions_mut().insert(RequestInfo { id, ip });
    let log = tracing::enabled!(tracing::Level::DEBUG)
        .then(|| (request.method().clone(), request.uri().path().to_owned()));

    let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = handled.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("of unknown kind");
        tracing::error!(%id, panic = text, "a handler panicked");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server met an unexpected error. Its log tells more; please report it.",
        )
        .into_response()
    });

    let from_app = response.extensions().get::<FromApp>().is_some();
    let headers = response.headers_mut();
    headers.insert(X_VERSION, VERSION);
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    if let Ok(value) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)) {
        headers.insert(X_REQUEST_ID, value);
    }
    // An app decides for itself what else its answers say.
    if !from_app {
        headers.insert(
            axum::http::header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
    }
    if let Some(hsts) = state.http.hsts.as_ref().filter(|_| !from_app) {
        headers.insert(axum::http::header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    if let Some((method, path)) = log {
        let status = response.status().as_u16();
        let took = start.elapsed();
        tracing::debug!(%id, %method, path, status, ?took, "request");
    }
    response
}
