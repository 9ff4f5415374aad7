//! Requests that a foreign page makes a browser send.
//!
//! Such a request carries the session cookie, which the browser adds, but
//! cannot carry the session token on purpose, nor our double-submit header.

use axum::http::{HeaderMap, Method, Uri};

use crate::auth::{SESSION_COOKIE, Source, cookie_value, explicit_token};

/// Cookie whose value a page of ours repeats in the `X-CSRF-TOKEN` header.
pub(crate) const CSRF_COOKIE: &str = "csrf_token";

/// Paths below `/api/v2/` that check their caller otherwise.
const EXEMPT: &[&str] = &[
    "users/first",
    "csp/reports",
    "workspaceagents/",
    "workspaceproxies/me",
    "derp",
    "provisionerdaemons",
];

/// Whether a request with a session from `source` may be forged.
pub(crate) fn is_suspect(method: &Method, uri: &Uri, headers: &HeaderMap, source: Source) -> bool {
    if source != Source::Cookie
        || matches!(
            *method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
        )
    {
        return false;
    }
    let Some(path) = uri.path().strip_prefix("/api/") else {
        return false;
    };
    let path = path.strip_prefix("v2/").unwrap_or(path);
    if EXEMPT.iter().any(|exempt| path.starts_with(exempt)) {
        return false;
    }
    // The same token given on purpose beside the cookie: no foreign page knows it.
    let cookie = cookie_value(headers, SESSION_COOKIE);
    let explicit = explicit_token(uri, headers);
    if explicit.is_some() && explicit.as_deref() == cookie {
        return false;
    }
    let submitted = headers
        .get("x-csrf-token")
        .and_then(|value| value.to_str().ok());
    match (submitted, cookie_value(headers, CSRF_COOKIE)) {
        (Some(submitted), Some(cookie)) => submitted.is_empty() || submitted != cookie,
        _ => true,
    }
}
