//! With `--redirect-to-access-url`: requests for other hosts, or without TLS, are sent to where
//! the server wants to be reached.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use crate::AppState;
use crate::apps::{request_host, without_port};
use crate::run::ByTls;

/// Asked for by machines that know the server by another name.
const EXEMPT: &[&str] = &["/healthz", "/derp", "/derp/latency-check", "/latency-check"];

pub(crate) async fn redirect(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match target(&state, &request) {
        Some(url) => Redirect::temporary(&url).into_response(),
        None => next.run(request).await,
    }
}

fn target(state: &AppState, request: &Request) -> Option<String> {
    if !state.http.options.on("redirect-to-access-url") || EXEMPT.contains(&request.uri().path()) {
        return None;
    }
    let own = &state.control.settings().access_url;
    let host = request_host(
        state,
        request.headers(),
        request.uri(),
        request.extensions(),
    )?;
    let at_home = own
        .host_str()
        .is_some_and(|own| own.eq_ignore_ascii_case(without_port(&host)));
    // A proxy in front that ends TLS forwards plain requests: only what came here directly counts.
    let forwarded = request.headers().contains_key("x-forwarded-proto");
    let unsafe_here = own.scheme() == "https"
        && state.http.options.on("tls-enable")
        && !forwarded
        && request.extensions().get::<ByTls>().is_none();
    if at_home && !unsafe_here {
        return None;
    }
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let base = own.as_str().trim_end_matches('/');
    Some(format!("{base}{path}"))
}
