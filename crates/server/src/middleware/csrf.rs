//! Requests that a foreign page makes a browser send.
//!
//! Such a request carries the session cookie, which the browser adds, but
//! cannot carry the session token on purpose, nor our double-submit header.

use axum::http::{HeaderMap, Method, Uri};

use crate::auth::{CookiePolicy, Source, cookie_value, explicit_token, session_cookie};

/// Cookie whose value a page of ours repeats in the `X-CSRF-TOKEN` header.
pub(crate) const CSRF_COOKIE: &str = "csrf_token";

/// Paths below `/api/v2/` that check their caller otherwise, with all below them.
const EXEMPT: &[&str] = &[
    "users/first",
    "csp/reports",
    "workspaceagents",
    "workspaceproxies/me",
    "derp",
    "provisionerdaemons",
];

/// Whether a request with a session from `source` may be forged. `cookies` says which cookie the
/// session came by.
pub(crate) fn is_suspect(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    source: Source,
    cookies: CookiePolicy,
) -> bool {
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
    if EXEMPT.iter().any(|exempt| is_at_or_below(path, exempt)) {
        return false;
    }
    // The same token given on purpose beside the cookie: no foreign page knows it. Of any other
    // cookie a page of a sibling domain may have chosen the value.
    let cookie = session_cookie(headers, cookies);
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

fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn suspect(path: &str, cookies: &'static str, token: &'static str, prefixed: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
        if !token.is_empty() {
            headers.insert("coder-session-token", HeaderValue::from_static(token));
        }
        let policy = CookiePolicy {
            host_prefix: prefixed,
            ..CookiePolicy::default()
        };
        let uri = path.parse().unwrap();
        is_suspect(&Method::POST, &uri, &headers, Source::Cookie, policy)
    }

    #[test]
    fn a_token_proves_itself_by_the_cookie_of_the_session_alone() {
        let path = "/api/v2/users/me/keys";
        assert!(!suspect(path, "coder_session_token=a", "a", false));
        assert!(suspect(path, "coder_session_token=a", "b", false));
        // A sibling domain can set the plain one.
        let both = "__Host-coder_session_token=a; coder_session_token=b";
        assert!(suspect(path, both, "b", true));
        assert!(!suspect(path, both, "a", true));
        let planted = "/api/v2/users/me/keys?coder_session_token=b";
        assert!(suspect(planted, both, "", true));
    }

    #[test]
    fn exemptions_are_whole_segments() {
        let of = |path: &str| suspect(path, "coder_session_token=a", "", false);
        for path in ["users/first", "workspaceagents/me/x", "derp", "derp/x"] {
            assert!(!of(&format!("/api/v2/{path}")), "{path}");
        }
        for path in ["users/firstname/keys", "users/first-x", "derpx"] {
            assert!(of(&format!("/api/v2/{path}")), "{path}");
        }
    }
}
